local dns_server = dofile "spec/support/dns_server.lua"
local program = require "spec.support.program"
local socket = require "green.socket"
local testing = require "green.testing"

local _, it = testing.busted()

describe("examples/dns_server.lua", function()
  local ZONE = dns_server.KNOWN .. [[
big.example  TXT "]] .. ("x"):rep(250) .. '" "' .. ("y"):rep(250) .. '" "' .. ("z"):rep(250) .. [["
huge.example TXT "]] .. (("x"):rep(250) .. '" "'):rep(15) .. [["
odd\.dot.example A 192.0.2.9 ; a comment
semi.example TXT "a;b" "" c ; another
]]
  local server, port, file

  setup(function()
    file = program.file(ZONE)
    server = program.start_greenlua { "examples/dns_server.lua", "0", file }
    port = tonumber(server:expect("\n"):match(":(%d+)"))
  end)

  teardown(function()
    server:kill(program.TERM)
    server:wait()
    os.remove(file)
  end)

  local function dig_at(at, ...)
    local p = program.run { "dig", "@127.0.0.1", "-p", tostring(at), "+time=5", "+tries=1",
      "+norecurse", ... }
    assert.equal(0, p.status, p.out .. p.err)
    return p.out
  end

  local function short(...)
    return (dig_at(port, "+short", ...):gsub("\n$", ""))
  end

  local shorts = {
    { "www.example", "A", "192.0.2.1" },
    { "www.example", "AAAA", "2001:db8::1" },
    { "alias.example", "A", "www.example.\n192.0.2.1" },
    { "far.example", "AAAA", "alias.example.\nwww.example.\n2001:db8::1" },
    { "both.example", "A", "192.0.2.2\n192.0.2.3" },
    { "example", "MX", "10 mail.example." },
    { "example", "NS", "ns.example." },
    { "example", "TXT", '"hello, world" "" "and more"' },
    { "semi.example", "TXT", '"a;b" "" "c"' },
    { "example", "CAA", '0 issue "ca.example"' },
    { "example", "SOA", "ns.example. root.example. 1 3600 600 86400 60" },
    { "example", "NAPTR", '100 10 "u" "E2U+sip" "!^.*$!sip:info@example!" .' },
    { "alias.example", "CNAME", "www.example." },
    { "_sip._tcp.example", "SRV", "10 5 5060 www.example." },
    { "_443._tcp.www.example", "TLSA", "3 1 1 0123456789ABCDEF" },
    { "odd\\.dot.example", "A", "192.0.2.9" },
  }

  it("answers what dig asks, by UDP and TCP", function()
    for _, case in ipairs(shorts) do
      assert.equal(case[3], short(case[1], case[2]))
      assert.equal(case[3], short("+tcp", case[1], case[2]))
    end
    assert.equal("www.example.", short("-x", "192.0.2.1"))
  end)

  it("says what there is not, and for how long", function()
    local out = dig_at(port, "nobody.example")
    assert.truthy(out:find("status: NXDOMAIN", 1, true), out)
    assert.matches("example%.%s+60%s+IN%s+SOA", out)
    out = dig_at(port, "four.example", "AAAA")
    assert.truthy(out:find("status: NOERROR", 1, true), out)
    assert.truthy(out:find("ANSWER: 0, AUTHORITY: 1", 1, true), out)
    assert.truthy(dig_at(port, "_tcp.example"):find("status: NOERROR", 1, true))
    assert.truthy(dig_at(port, "nowhere.example"):find("status: NXDOMAIN", 1, true))
    assert.truthy(dig_at(port, "www.other"):find("status: REFUSED", 1, true))
    assert.truthy(dig_at(port, "CH", "TXT", "version.bind"):find("status: REFUSED", 1, true))
  end)

  it("gives a question back as it came", function()
    assert.truthy(dig_at(port, "wWw.eXamPle"):find(";wWw.eXamPle.", 1, true))
  end)

  it("knows EDNS and its versions", function()
    local out = dig_at(port, "+edns=0", "www.example")
    assert.truthy(out:find("EDNS: version: 0, flags:; udp: 1232", 1, true), out)
    assert.falsy(dig_at(port, "+noedns", "www.example"):find("EDNS", 1, true))
    out = dig_at(port, "+edns=1", "+noednsneg", "www.example")
    assert.truthy(out:find("status: BADVERS", 1, true), out)
    out = dig_at(port, "+opcode=NOTIFY", "www.example")
    assert.truthy(out:find("status: NOTIMP", 1, true), out)
  end)

  it("truncates what is too long for UDP, and gives all of it by TCP", function()
    local out = dig_at(port, "+noedns", "+ignore", "big.example", "TXT")
    assert.truthy(out:find("flags: qr aa tc", 1, true), out)
    assert.truthy(out:find("ANSWER: 0", 1, true), out)
    assert.truthy(short("+noedns", "big.example", "TXT"):find(("z"):rep(250), 1, true))
    out = dig_at(port, "+ignore", "big.example", "TXT")
    assert.falsy(out:find(" tc", 1, true), out)
    out = dig_at(port, "+bufsize=4096", "+ignore", "huge.example", "TXT")
    assert.truthy(out:find(" tc", 1, true), out)
    assert.equal(15 * 250, #short("huge.example", "TXT"):gsub("[^x]", ""))
  end)

  --- dnsmasq in front of our server: the process and its port. Somebody else may have
  -- taken a port that was free.
  local function start_dnsmasq()
    local err
    for _ = 1, 10 do
      local free = socket.udp()
      assert(free:bind("127.0.0.1", 0))
      local own = select(2, free:sockname())
      free:close()
      local p = program.start { "dnsmasq", "-k", "-C", "/dev/null", "-R", "-h", "-a", "127.0.0.1",
        "-z", "-p", tostring(own), "-S", "127.0.0.1#" .. port, "-u", "", "--log-facility=-", "-q" }
      local ok
      ok, err = pcall(p.expect, p, "using nameserver", "err")
      if ok then
        return p, own
      end
    end
    error(err, 0)
  end

  it("is believed by dnsmasq", function()
    local p, own = start_dnsmasq()
    local ok, err = pcall(function()
      assert.matches("192%.0%.2%.1\n$", dig_at(own, "+short", "+recurse", "alias.example"))
      assert.matches("NXDOMAIN", dig_at(own, "+recurse", "nobody.example"))
      assert.matches("zzz", dig_at(own, "+recurse", "big.example", "TXT"))
    end)
    p:kill(program.TERM)
    p:wait()
    assert(ok, err)
  end)

  it("says which line of a file it cannot read", function()
    local bad = program.file("example SOA a b 1 2 3 4 5\nwww.example A 1.2.3\n")
    local p = program.run { program.greenlua, "examples/dns_server.lua", "0", bad }
    os.remove(bad)
    assert.equal(1, p.status)
    assert.truthy(p.err:find("line 2: 1.2.3 is no IPv4 address", 1, true), p.err)
  end)
end)
