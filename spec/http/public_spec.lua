local addr = require "green.socket.addr"
local errors = require "green.error"
local public = require "green.http.public"

--- An address object of a numeric host.
local function address(host)
  return addr.of(assert(addr.ip(host, 80)))
end

-- A block, its first and last address, and why it is refused; then what stands directly before
-- and behind it, "-" in front: that is not public, too.
local BLOCKS = {
  { "0.0.0.0", "0.255.255.255", "this network", nil, "1.0.0.0" },
  { "10.0.0.0", "10.255.255.255", "private", "9.255.255.255", "11.0.0.0" },
  { "100.64.0.0", "100.127.255.255", "shared by a carrier", "100.63.255.255", "100.128.0.0" },
  { "127.0.0.0", "127.255.255.255", "loopback", "126.255.255.255", "128.0.0.0" },
  { "169.254.0.0", "169.254.255.255", "link-local", "169.253.255.255", "169.255.0.0" },
  { "172.16.0.0", "172.31.255.255", "private", "172.15.255.255", "172.32.0.0" },
  { "192.0.0.0", "192.0.0.255", "protocol assignments", "191.255.255.255", "192.0.1.0" },
  { "192.0.2.0", "192.0.2.255", "documentation", "192.0.1.255", "192.0.3.0" },
  { "192.31.196.0", "192.31.196.255", "AS112", "192.31.195.255", "192.31.197.0" },
  { "192.52.193.0", "192.52.193.255", "AMT", "192.52.192.255", "192.52.194.0" },
  { "192.88.99.0", "192.88.99.255", "6to4 relay", "192.88.98.255", "192.88.100.0" },
  { "192.168.0.0", "192.168.255.255", "private", "192.167.255.255", "192.169.0.0" },
  { "192.175.48.0", "192.175.48.255", "AS112", "192.175.47.255", "192.175.49.0" },
  { "198.18.0.0", "198.19.255.255", "benchmarking", "198.17.255.255", "198.20.0.0" },
  { "198.51.100.0", "198.51.100.255", "documentation", "198.51.99.255", "198.51.101.0" },
  { "203.0.113.0", "203.0.113.255", "documentation", "203.0.112.255", "203.0.114.0" },
  { "224.0.0.0", "239.255.255.255", "multicast", "223.255.255.255", "-240.0.0.0" },
  { "240.0.0.0", "255.255.255.254", "reserved", "-239.255.255.255" },
  { "255.255.255.255", "255.255.255.255", "broadcast" },
  { "::", "::", "unspecified" },
  { "::1", "::1", "loopback" },
  { "::2", "::fffe:ffff:ffff", "reserved" }, -- what was IPv4-compatible, and more
  { "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "local NAT64" },
  { "100::", "100::ffff:ffff:ffff:ffff", "discarded" },
  { "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo", "2000:ffff:ffff:ffff::" },
  { "2001:1::", "2001:1:ffff:ffff:ffff:ffff:ffff:ffff", "protocol assignments" },
  { "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", "benchmarking" },
  { "2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", "ORCHID" },
  { "2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", "ORCHID" },
  { "2001:30::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "protocol assignments", nil,
    "2001:200::" },
  { "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation",
    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::" },
  { "2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", "AS112",
    "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", "2620:4f:8001::" },
  { "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation",
    "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::" },
  { "4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved",
    "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
  { "200::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved", nil, "2000::" },
  { "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique local" },
  { "fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved" },
  { "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local" },
  { "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local" },
  { "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast" },
}

describe("green.http.public", function()
  for _, block in ipairs(BLOCKS) do
    local first, last, why, before, behind = unpack(block, 1, 5)
    it(("refuses %s to %s, and not what is beside it"):format(first, last), function()
      for _, host in ipairs { first, last } do
        assert.same({ false, why }, { public.is_public(host) })
        assert.same({ false, why }, { public.is_public(address(host)) })
      end
      for _, host in pairs { before = before, behind = behind } do
        local plain = host:gsub("^%-", "")
        assert.equal(plain == host, (public.is_public(plain)), host)
      end
    end)
  end

  it("lets the public ones through", function()
    for _, host in ipairs { "8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111",
      "2a00:1450:4001:81b::200e", "2400:cb00:2048::1" } do
      assert.same({ true }, { public.is_public(host) })
      assert.is_true(public.is_public(address(host)))
    end
  end)

  it("judges an address that stands for one of IPv4 by that", function()
    for _, form in ipairs { "::ffff:%s", "64:ff9b::%s" } do
      assert.is_true(public.is_public(form:format "8.8.8.8"))
      assert.same({ false, "loopback" }, { public.is_public(form:format "127.0.0.1") })
      assert.same({ false, "private" }, { public.is_public(form:format "10.1.2.3") })
      assert.same({ false, "link-local" }, { public.is_public(form:format "169.254.169.254") })
      assert.same({ false, "broadcast" }, { public.is_public(form:format "255.255.255.255") })
    end
    assert.is_true(public.is_public "2002:808:808::1") -- 6to4 of 8.8.8.8
    assert.same({ false, "loopback" }, { public.is_public "2002:7f00:1::1" })
    assert.same({ false, "private" }, { public.is_public "2002:c0a8:101:ffff::" })
    assert.same({ false, "reserved" }, { public.is_public "64:ff9b:0:0:0:1:808:808" })
  end)

  it("finds nothing public in a path or a name", function()
    assert.same({ false, "not an Internet address" }, { public.is_public "localhost" })
    assert.same({ false, "not an Internet address" }, { public.is_public "0x7f.1" })
    assert.same({ false, "not an Internet address" }, { public.is_public "2130706433" })
    assert.same({ false, "not an Internet address" },
      { public.is_public(addr.of(addr.unix "/tmp/x")) })
  end)

  -- a.b.c.x of a special block, said in another way than there: what each number may be.
  local SPECIAL = { { 0 }, { 10 }, { 127 }, { 224, 255 }, { 100, nil, 64, 127 },
    { 169, nil, 254, 254 }, { 172, nil, 16, 31 }, { 192, nil, 168, 168 }, { 192, nil, 0, 0, 0, 0 },
    { 192, nil, 0, 0, 2, 2 }, { 192, nil, 31, 31, 196, 196 }, { 192, nil, 52, 52, 193, 193 },
    { 192, nil, 88, 88, 99, 99 }, { 192, nil, 175, 175, 48, 48 }, { 198, nil, 18, 19 },
    { 198, nil, 51, 51, 100, 100 }, { 203, nil, 0, 0, 113, 113 } }

  local function is_special(a, b, c)
    for _, r in ipairs(SPECIAL) do
      if a >= r[1] and a <= (r[2] or r[1]) and b >= (r[3] or 0) and b <= (r[4] or 255)
        and c >= (r[5] or 0) and c <= (r[6] or 255) then
        return true
      end
    end
    return false
  end

  it("agrees with the blocks for addresses at random", function()
    math.randomseed(3)
    for i = 1, 40000 do
      local a, b, c = math.random(0, 255), math.random(0, 255), math.random(0, 255)
      if i % 2 == 0 then
        a = ({ 192, 198, 172, 100, 169, 203 })[math.random(6)]
      end
      local host = ("%d.%d.%d.7"):format(a, b, c)
      assert(public.is_public(host) ~= is_special(a, b, c), host)
      assert(public.is_public("::ffff:" .. host) ~= is_special(a, b, c), host)
    end
  end)

  it("raises for what is no address", function()
    assert.error_matches(function() public.is_public(5) end,
      "is_public: address must be an address or a numeric host, not 5")
  end)

  describe("check", function()
    it("allows everything where nothing is said", function()
      assert.is_true(public.check(nil, address "127.0.0.1"))
    end)

    it("gives an error that says which address, and why", function()
      local ok, err = public.check("public", address "10.0.0.1")
      assert.is_nil(ok)
      assert.is_true(errors.is_error(err, "EACCES"))
      assert.equal("10.0.0.1:80", err.address)
      assert.equal("private", err.reason)
      assert.is_true(public.check("public", address "8.8.8.8"))
    end)

    it("asks a function, which may say why", function()
      local seen
      local function allow(a)
        seen = a
        return a.host == "127.0.0.1", "ours alone"
      end
      assert.is_true(public.check(allow, address "127.0.0.1"))
      assert.equal("127.0.0.1", seen.host)
      local _, err = public.check(allow, address "8.8.8.8")
      assert.equal("ours alone", err.reason)
      _, err = public.check(function() end, address "8.8.8.8")
      assert.equal("not allowed", err.reason)
    end)

    it("knows what the option may be", function()
      assert.equal("public", public.option("public", "get"))
      assert.is_nil(public.option(nil, "get"))
      assert.error_matches(function() public.option("private", "get") end,
        'get: allow must be "public", a function or false, not "private"')
    end)
  end)
end)
