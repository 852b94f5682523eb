-- What files say: hosts, resolv.conf, nsswitch.conf.

local dns = require "green.dns"
local files = require "green.dns.files"
local names = require "green.dns.names"
local plans = require "green.dns.plan"
local socket = require "green.socket"
local testing = require "green.testing"

local fails = dofile("spec/support/sockets.lua").fails
local kit = dofile "spec/support/dns_kit.lua"
local program = require "spec.support.program"
local _, it = testing.busted()
local hosts, with = kit.hosts, kit.with

--- A file with that text for fn(path, write).
local function with_file(text, fn)
  local path = os.tmpname()
  local function write(content)
    local other = path .. ".new"
    local file = assert(io.open(other, "wb"))
    file:write(content)
    file:close()
    assert(os.rename(other, path))
  end
  write(text)
  local ok, err = pcall(fn, path, write)
  os.remove(path)
  assert(ok, err)
end

--- As if a second had passed: files are looked at again.
local function later(r)
  local plan = r._plan
  plan.till, plan.any, plan.inet, plan.inet6 = -1, nil, nil, nil
  for _, watched in ipairs { plan.resolv, plan.hosts_table and plan.hosts_table.watched } do
    watched.looked = -1
  end
end

describe("the hosts file", function()
  it("comes first, and what it knows is not asked for [b153]", function()
    with_file("192.0.2.50 www.example w # x\n2001:db8::50 six.only\n", function(path)
      with(nil, { hosts = path }, function(server, r)
        assert.equal("192.0.2.50", hosts(r:getaddrinfo("www.example", 80)))
        assert.equal("192.0.2.50", hosts(r:getaddrinfo("W", 80, { family = "inet" })))
        fails("EAI_FAMILY", r:getaddrinfo("w", 80, { family = "inet6" }))
        assert.equal("2001:db8::50", hosts(r:getaddrinfo("six.only.", 80)))
        assert.equal("www.example", r:getaddrinfo("w", 80, { canonname = true }).canonname)
        assert.equal("www.example", (r:getnameinfo("192.0.2.50:80")))
        assert.equal(0, server:count())
        assert.equal("192.0.2.4", hosts(r:getaddrinfo("four.example", 80)))
      end)
    end)
  end)

  it("is read again when it has changed", function()
    with_file("192.0.2.50 name.example\n", function(path, write)
      with(nil, { hosts = path }, function(_, r)
        assert.equal("192.0.2.50", hosts(r:getaddrinfo("name.example", 80)))
        write("192.0.2.51 name.example\n")
        later(r)
        assert.equal("192.0.2.51", hosts(r:getaddrinfo("name.example", 80)))
        os.remove(path)
        later(r)
        fails("EAI_NONAME", r:getaddrinfo("name.example", 80))
        write("192.0.2.52 name.example\n")
        later(r)
        assert.equal("192.0.2.52", hosts(r:getaddrinfo("name.example", 80)))
      end)
    end)
  end)

  it("may be left out, or not be there", function()
    with(nil, { hosts = "/nonexistent" }, function(_, r)
      assert.equal("192.0.2.4", hosts(r:getaddrinfo("four.example", 80)))
      assert.equal("127.0.0.1 ::1", hosts(r:getaddrinfo("localhost", 80)))
    end)
  end)
end)

describe("resolv.conf", function()
  it("is read again when it has changed", function()
    with_file("nameserver 127.0.0.1\noptions timeout:3 attempts:1 rotate\nsearch test\n",
      function(path, write)
        local plan = plans.new { resolv = path, hosts = false }
        plans.refresh(plan)
        local settings = plan.settings
        assert.same({ 3, 1, true, 1, "test" }, { settings.timeout, settings.tries,
          settings.rotate, settings.ndots, settings.search[1] })
        local asking = { now = function() return -1 end }
        plan.asking = asking
        plans.refresh(plan)
        assert.equal(asking, plan.asking)
        write("nameserver 192.0.2.77\nnameserver 192.0.2.78\noptions ndots:3\n")
        plan.till, plan.resolv.looked = -1, -1
        plans.refresh(plan)
        assert.is_nil(plan.asking) -- what was known is forgotten
        assert.equal(2, #plan.settings.servers)
        assert.equal(3, plan.ndots)
      end)
  end)

  it("may have the root for a search list", function()
    with_file("search .\n", function(path)
      assert.same({ "." }, files.resolv(path).search)
    end)
  end)

  it("has the environment's RES_OPTIONS and LOCALDOMAIN over it", function()
    with_file("search a.test\noptions ndots:2 timeout:3\n", function(path)
      local r = program.run { program.greenlua, "-e", [[
        local conf = require "green.dns.files".resolv(os.getenv "CONF")
        print(conf.ndots, conf.timeout, conf.rotate, conf.single, conf.trust_ad, conf.no_aaaa)
        print(unpack(conf.search))
      ]], env = { CONF = path,
        RES_OPTIONS = "timeout:7 rotate single-request no-aaaa trust-ad x inet6",
        LOCALDOMAIN = "b.test c.test" } }
      assert.equal("2\t7\ttrue\ttrue\ttrue\ttrue\nb.test\tc.test\n", r.out, r.err)
    end)
  end)

  it("may not be there: this machine is asked then [b156]", function()
    local plan = plans.new { resolv = "/nonexistent", hosts = false }
    plans.refresh(plan)
    assert.equal(1, #plan.settings.servers)
    assert.equal("127.0.0.1:53", tostring(require "green.socket.addr".of(plan.settings.servers[1])))
  end)

  it("breaks no program's start where it is not there, only lookups [b156]", function()
    local r = program.run { "unshare", "-mn", "sh", "-c",
      "mount --bind /dev/null /etc/resolv.conf && echo ready && ip link set lo up; exec "
      .. "timeout 20 \"$0\" -e \"$1\"", program.greenlua, [[
        local socket = require "green.socket"
        print(#socket.getaddrinfo("localhost", 80))
        local _, err = socket.getaddrinfo("name.test", 80)
        print(err.code, err.server)
      ]] }
    if not r.out:find("^ready\n") then
      return pending("no mount namespace to be had (not root)")
    end
    assert.equal("ready\n2\nEAI_AGAIN\t127.0.0.1:53\n", r.out, r.err)
  end)
end)

describe("nsswitch.conf", function()
  local core = require "green.core"
  local lookups = require "green.dns.lookup"

  local function is_systems(line, name, is_stub)
    local result
    with_file("hosts: " .. line .. "\n", function(path)
      local plan = { switch = files.nsswitch(path), is_stub = is_stub }
      result = lookups.is_systems(plan, names.read(name))
    end)
    return not not result
  end

  it("says which names only the system knows", function()
    assert.is_false(is_systems("files dns", "a.test"))
    assert.is_false(is_systems("files dns", "a.local"))
    assert.is_true(is_systems("files mdns4_minimal [NOTFOUND=return] dns", "a.local"))
    assert.is_false(is_systems("files mdns4_minimal [NOTFOUND=return] dns", "a.test"))
    assert.is_true(is_systems("files resolve [!UNAVAIL=return] dns", "a.test"))
    assert.is_false(is_systems("files resolve [!UNAVAIL=return] dns", "a.test", true))
    assert.is_true(is_systems("files resolve [!UNAVAIL=return] dns", "a.local", true))
    assert.is_true(is_systems("files", "a.test"))
    assert.is_true(is_systems("files sss dns", "a.test"))
    assert.is_true(is_systems("dns files", "a.test"))
    local own = files.text("/proc/sys/kernel/hostname"):gsub("\n", "")
    assert.is_true(is_systems("files dns myhostname", own:lower()))
    assert.is_false(is_systems("files dns myhostname", "a.test"))
  end)

  it("may have name servers before the hosts file, which is not looked at first then", function()
    local function whose(line)
      local host
      with_file("192.0.2.7 some.host\n", function(path)
        local known = files.hosts(path)
        local entries = files.fresh_hosts(known, core.now())
        with_file(line, function(switch)
          local plan = { switch = files.nsswitch(switch), hosts = entries }
          local spots, system = lookups.at_once(plan, "some.host")
          host = spots and spots[1].host or system == lookups.SYSTEM and "the system's"
        end)
        core.release(known.object)
      end)
      return host
    end
    assert.equal("192.0.2.7", whose("hosts: files dns\n"))
    assert.equal("the system's", whose("hosts: dns files\n"))
  end)
end)

describe("a lookup by what the system's files say", function()
  it("makes no native thread [S27]", function()
    local r = program.run { "unshare", "-mn", "sh", "-c", [[
        ip link set lo up &&
        printf 'nameserver 127.0.0.1\nsearch test\n' >/tmp/green_resolv.$$ &&
        mount --bind /tmp/green_resolv.$$ /etc/resolv.conf && rm /tmp/green_resolv.$$ &&
        dnsmasq -p 53 --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts \
          --conf-file=/dev/null --user=root --pid-file=/tmp/green_dnsmasq.$$ \
          --local=/test/ --host-record=a.test,192.0.2.1 && echo ready &&
        timeout 20 "$0" -e "$1"; kill $(cat /tmp/green_dnsmasq.$$)
        rm -f /tmp/green_dnsmasq.$$
      ]], program.greenlua, [[
        local green, socket = require "green", require "green.socket"
        local list = assert(socket.getaddrinfo("a", 80))
        local tasks = io.open("/proc/self/status"):read("*a"):match("Threads:%s*(%d+)")
        print(list[1], #list, tasks)
        local l = assert(green.listen("127.0.0.1:0"))
        print((select(2, green.connect("nobody.test", 1)).code))
      ]] }
    if not r.out:find("^ready\n") then
      return pending("no namespaces (not root), or no dnsmasq")
    end
    assert.equal("ready\n192.0.2.1:80\t1\t1\nEAI_NONAME\n", r.out, r.err)
  end)
end)

describe("dns.clear", function()
  it("forgets what is known", function()
    with(nil, nil, function(server, r)
      assert(r:getaddrinfo("four.example", 80, { family = "inet" }))
      assert(r:getaddrinfo("four.example", 80, { family = "inet" }))
      assert.equal(1, server:count())
      r:clear()
      assert(r:getaddrinfo("four.example", 80, { family = "inet" }))
      assert.equal(2, server:count())
      dns.clear()
      assert.is_true(#socket.getaddrinfo("localhost", 1) > 0)
    end)
  end)
end)
