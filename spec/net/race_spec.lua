-- green.connect to the addresses of a name (RFC 8305). Names are looked up by a fake of
-- green.dns.apart, so that it is known when which addresses come; the sockets are real.
-- A listener whose queue is full stands for an address that does not answer.

local green = require "green"
local addr = require "green.socket.addr"
local apart = require "green.dns.apart"
local errors = require "green.error"
local testing = require "green.testing"

local sockets = dofile("spec/support/sockets.lua")
local fails = sockets.fails
local _, it = testing.busted()

-- -- What is connected to -------------------------------------------------------

--- A listener that takes no one any more, and its port.
local function full_listener(host)
  local six = host:find(":", 1, true)
  local l, port = sockets.listener(six and "inet6" or "inet", host, 0)
  local self = { port = port, raw = addr.ip(host, port), listener = l, conns = {} }
  repeat
    local conn = green.connect(self.raw and addr.of(self.raw), { timeout = 0.02 })
    self.conns[#self.conns + 1] = conn
  until not conn
  function self.close()
    for _, conn in ipairs(self.conns) do conn:close() end
    l:close()
  end
  return self
end

local function listener(host)
  local six = host:find(":", 1, true)
  local l, port = sockets.listener(six and "inet6" or "inet", host)
  return { port = port, raw = addr.ip(host, port), listener = l, close = function() l:close() end }
end

--- Nobody listens there.
local function dead(host)
  local self = listener(host)
  self.close()
  self.close = function() end
  return self
end

-- -- Names ----------------------------------------------------------------------

--- Let fn(lookup) run while names are looked up like this: a list of steps, each a list of
-- places to come, or a function that is called (it may wait, or give a list or nil, err).
local function with_lookup(steps, fn)
  local real = apart.start
  local lookup = { closed = 0, taken = 0 }
  function lookup:take(deadline)
    local step = steps[self.taken + 1]
    if type(step) == "function" then
      local list, err = step(deadline)
      if err then return nil, err end
      step = list
    end
    self.taken = self.taken + 1
    if not step then
      self.done = true
      return nil
    end
    local list = {}
    for i, place in ipairs(step) do list[i] = place.raw end
    self.done = steps.done_at == self.taken
    return list
  end
  function lookup:close() self.closed = self.closed + 1 end
  apart.start = function(host, service, opts)
    lookup.asked = { host, service, opts.family }
    return lookup
  end
  local ok, err = pcall(fn, lookup)
  apart.start = real
  if not ok then error(err, 0) end
  assert.equal(1, lookup.closed)
  return lookup
end

--- A step that comes after some time, or not before the deadline.
local function after(seconds, step)
  local due
  return function(deadline)
    due = due or green.now() + seconds
    local till = deadline and math.min(due, deadline) or due
    green.sleep(math.max(0, till - green.now()))
    if green.now() < due then
      return nil, errors.new("ETIMEDOUT", "lookup")
    end
    return step
  end
end

local function never(deadline)
  green.sleep(deadline and math.max(0, deadline - green.now()) or 1000)
  return nil, errors.new("ETIMEDOUT", "lookup")
end

local function names(places)
  local parts = {}
  for i, place in ipairs(places) do parts[i] = addr.format(place.raw) end
  return parts
end

--- Close all in the end.
local function with_places(places, fn)
  local ok, err = pcall(fn, unpack(places))
  for _, place in ipairs(places) do place.close() end
  testing.settle()
  if not ok then error(err, 0) end
end

local function peer(conn)
  local host, port = conn:peername()
  return { host, port }
end

local function connects_to(place, ...)
  local conn = assert(green.connect(...))
  local got = peer(conn)
  conn:close()
  assert.same({ addr.of(place.raw).host, place.port }, got)
end

describe("green.connect to a name", function()
  it("asks for host, service and family", function()
    local there = listener "127.0.0.1"
    with_places({ there }, function()
      local lookup = with_lookup({ { there }, done_at = 1 }, function()
        connects_to(there, "some.example", 80, { family = "inet", timeout = 5 })
      end)
      assert.same({ "some.example", 80, "inet" }, lookup.asked)
      assert.equal(1, lookup.taken)
    end)
  end)

  it("tries the next address at once when one fails [S26]", function()
    with_places({ dead "127.0.0.1", dead "::1", listener "127.0.0.1" }, function(a, b, there)
      with_lookup({ { a, b, there }, done_at = 1 }, function()
        connects_to(there, "some.example", 80, { attempt_delay = 1000 })
      end)
    end)
  end)

  it("lets the families take turns, the best address's first", function()
    local list = { dead "127.0.0.1", dead "127.0.0.2", dead "127.0.0.3", dead "::1", dead "::1" }
    with_lookup({ list, done_at = 1 }, function()
      local err = fails("ECONNREFUSED", green.connect("some.example", 80))
      local tried = {}
      for i, one in ipairs(err.errors) do tried[i] = one.op:match("^connect (.*)$") end
      local n = names(list)
      assert.same({ n[1], n[4], n[2], n[5], n[3] }, tried)
    end)
  end)

  it("starts the next attempt when one takes too long, and closes the loser", function()
    with_places({ full_listener "127.0.0.1", listener "127.0.0.1" }, function(full, there)
      with_lookup({ { full, there }, done_at = 1 }, function()
        connects_to(there, "some.example", 80, { attempt_delay = 0.02 })
      end)
    end)
  end)

  it("waits for all that are under way, and takes the first that answers", function()
    local full, late = full_listener "127.0.0.1", full_listener "127.0.0.2"
    with_places({ full, late }, function()
      with_lookup({ { full, late }, done_at = 1 }, function()
        local t = green.spawn(green.connect, "some.example", 80, { attempt_delay = 0.01 })
        green.sleep(0.05)
        for _ = 1, 2 do -- room in the second one's queue: its client knocks again
          local conn = late.listener:accept { timeout = 5 }
          if conn then conn:close() end
        end
        local conn = assert(t:wait())
        assert.same({ "127.0.0.2", late.port }, peer(conn))
        conn:close()
      end)
    end)
  end)

  it("gives an error that lists each address and why it failed", function()
    local a, b = dead "127.0.0.1", dead "127.0.0.2"
    with_lookup({ { a, b }, done_at = 1 }, function()
      local err = fails("ECONNREFUSED", green.connect("some.example", 80))
      assert.equal(("connect some.example:80: none of its addresses answered: "
        .. "127.0.0.1:%d: connection refused; 127.0.0.2:%d: connection refused (ECONNREFUSED)")
        :format(a.port, b.port), tostring(err))
      assert.equal(2, #err.errors)
      assert.equal("ECONNREFUSED", err.errors[1].code)
    end)
    with_lookup({ { a }, done_at = 1 }, function()
      local err = fails("ECONNREFUSED", green.connect("some.example", 80))
      assert.equal(("connect 127.0.0.1:%d: connection refused (ECONNREFUSED)"):format(a.port),
        tostring(err))
      assert.equal(err, err.errors[1])
    end)
  end)

  it("names eight addresses, and counts the others", function()
    local list = {}
    for i = 1, 10 do list[i] = dead("127.0.0." .. i) end
    with_lookup({ list, done_at = 1 }, function()
      local err = fails("ECONNREFUSED", green.connect("some.example", 80))
      assert.equal(10, #err.errors)
      assert.matches("127.0.0.8:%d+: connection refused; and 2 more %(ECONNREFUSED%)$",
        tostring(err))
    end)
  end)

  it("says why there is no address", function()
    with_lookup({}, function(lookup)
      lookup.err = errors.new("EAI_NONAME", "resolve some.example")
      local err = fails("EAI_NONAME", green.connect("some.example", 80))
      assert.matches("^connect some.example:80: ", tostring(err))
    end)
  end)

  it("binds each attempt", function()
    with_places({ dead "127.0.0.1", listener "127.0.0.1" }, function(a, there)
      with_lookup({ { a, dead "::1", there }, done_at = 1 }, function()
        local conn = assert(green.connect("some.example", 80, { bind = "127.0.0.9" }))
        assert.equal("127.0.0.9", (conn:sockname()))
        conn:close()
      end)
      with_lookup({ { a, there }, done_at = 1 }, function()
        local err = fails("EADDRNOTAVAIL",
          green.connect("some.example", 80, { bind = "192.0.2.1" }))
        assert.equal(2, #err.errors)
      end)
    end)
  end)

  it("refuses an attempt delay that floods", function()
    assert.has_error(function() green.connect("some.example", 80, { attempt_delay = 0.001 }) end)
    assert.has_error(function() green.connect("some.example", 80, { attempt_delay = "1" }) end)
  end)
end)

describe("green.connect while A and AAAA come apart", function()
  it("gives IPv6 a moment, and goes on with IPv4 when that is over", function()
    with_places({ listener "127.0.0.1", listener "::1" }, function(four, six)
      with_lookup({ { four }, after(1000, { six }) }, function()
        connects_to(four, "some.example", 80)
      end)
      local lookup = with_lookup({ { six }, never }, function()
        connects_to(six, "some.example", 80)
      end)
      assert.equal(1, lookup.taken)
    end)
  end)

  it("begins with the family that this machine reaches the world by", function()
    local spots = require "green.dns.spots"
    local real = assert(spots.reaches)
    with_places({ listener "127.0.0.1", listener "::1" }, function(four, six)
      for reaches, wanted in pairs { [true] = six, [false] = four } do
        spots.reaches = function() return reaches end
        local ok, err = pcall(with_lookup, { { four }, { six } }, function()
          connects_to(wanted, "some.example", 80)
        end)
        spots.reaches = real
        assert(ok, err)
      end
    end)
  end)

  it("tries what comes while an attempt is under way", function()
    with_places({ full_listener "127.0.0.1", listener "::1" }, function(full, six)
      with_lookup({ { full }, after(0.1, { six }) }, function()
        connects_to(six, "some.example", 80, { timeout = 20, attempt_delay = 0.01 })
      end)
      with_lookup({ { six }, after(0.1, { full }) }, function()
        connects_to(six, "some.example", 80, { timeout = 20 })
      end)
    end)
  end)

  it("waits for the other family when all of the first have failed", function()
    with_places({ dead "127.0.0.1", listener "::1" }, function(four, six)
      with_lookup({ { four }, after(0.1, { six }) }, function()
        connects_to(six, "some.example", 80, { timeout = 20 })
      end)
      with_lookup({ { four }, after(0.1, nil) }, function()
        fails("ECONNREFUSED", green.connect("some.example", 80, { timeout = 20 }))
      end)
    end)
  end)

  it("goes on with what is under way when no more addresses come", function()
    with_places({ full_listener "127.0.0.1" }, function(full)
      with_lookup({ { full }, after(0.06, nil) }, function()
        local err = fails("ETIMEDOUT", green.connect("some.example", 80, { timeout = 0.15 }))
        assert.equal(1, #err.errors)
      end)
    end)
  end)
end)

-- Each moment that a race may be ended in: how it gets there.
local moments = {
  ["while the name is looked up"] = function() return { never } end,
  ["while IPv4 waits for IPv6"] = function(p) return { { p.full }, never } end,
  ["while the only attempt is under way"] = function(p) return { { p.full }, done_at = 1 } end,
  ["while the first of two is under way"] = function(p)
    return { { p.full, p.other }, done_at = 1, delay = 1000 }
  end,
  ["while two are under way"] = function(p)
    return { { p.full, p.other }, done_at = 1, delay = 0.01 }
  end,
  ["while attempts and the lookup are"] = function(p)
    return { { p.full, p.other }, never, delay = 0.01 }
  end,
  ["while all have failed and the lookup goes on"] = function(p) return { { p.dead }, never } end,
}

describe("green.connect", function()
  local function with(fn)
    local p = { full = full_listener "127.0.0.1", other = full_listener "127.0.0.2",
      dead = dead "127.0.0.1" }
    with_places({ p.full, p.other }, function() fn(p) end)
  end

  for moment, steps_of in pairs(moments) do
    it("leaves nothing behind when it is killed " .. moment, function()
      with(function(p)
        local steps = steps_of(p)
        with_lookup(steps, function()
          local t = green.spawn(green.connect, "some.example", 80, { attempt_delay = steps.delay })
          green.sleep(0.12)
          assert.is_false(t:dead())
          t:kill()
          assert.is_true(t:dead())
          testing.settle()
        end)
      end)
    end)

    it("is over in time " .. moment, function()
      with(function(p)
        local steps = steps_of(p)
        with_lookup(steps, function()
          local err = fails("ETIMEDOUT", green.connect("some.example", 80,
            { attempt_delay = steps.delay, timeout = 0.12 }))
          assert.matches("^connect ", tostring(err))
          testing.settle()
        end)
      end)
    end)

    it("leaves nothing when a scope ends it " .. moment, function()
      with(function(p)
        local steps = steps_of(p)
        with_lookup(steps, function()
          local conn, err = green.timeout(0.12, green.connect, "some.example", 80,
            { attempt_delay = steps.delay })
          assert.is_nil(conn)
          assert.is_true(err:is("ETIMEDOUT"))
          testing.settle()
        end)
      end)
    end)
  end

  it("leaves nothing when its thread was killed before", function()
    with(function(p)
      local real, started = apart.start, 0
      apart.start = function(...)
        started = started + 1
        return real(...)
      end
      local t = green.spawn(function()
        green.getcurrent():kill_soon()
        return green.connect("127.0.0.1", p.full.port)
      end)
      testing.settle()
      assert.is_true(t:dead())
      apart.start = real
      assert.equal(0, started)
    end)
  end)

  it("leaves nothing when its thread is abandoned", function()
    with(function(p)
      with_lookup({ { p.full, p.other }, never }, function()
        local t = green.spawn(green.shield, 1000, green.connect, "some.example", 80,
          { attempt_delay = 0.01 })
        green.sleep(0.12)
        t:kill_soon { force_after = 0.01 }
        testing.settle_io(function() return t:dead() end)
        testing.settle()
        collectgarbage()
      end)
    end)
  end)
end)

describe("green.connect, asking name servers", function()
  local kit = dofile "spec/support/dns_kit.lua"
  local resolve = require "green.socket.resolve"
  local A, AAAA = 1, 28

  --- Questions of that type are not answered.
  local function silent_for(kind)
    return function(query, answer)
      return kit.servers.dns.parse(query).type ~= kind and answer or nil
    end
  end

  local function questions_out()
    return kit.numbers({ _plan = resolve.plan() }).out
  end

  --- Nothing is asked any more, and nobody waits.
  local function is_quiet()
    testing.settle()
    assert.equal(0, questions_out())
  end

  it("takes the family that listens [S26]", function()
    with_places({ listener "127.0.0.1", listener "::1" }, function(four, six)
      kit.with_default(nil, nil, function(server)
        connects_to(four, "here.example", four.port, { timeout = 20 })
        connects_to(six, "here.example", six.port, { timeout = 20 })
        assert.equal(1, server:count("here.example", "A"))
        assert.equal(1, server:count("here.example", "AAAA"))
      end)
    end)
  end)

  it("does not wait long for a question that stays without answer [b154]", function()
    with_places({ listener "127.0.0.1", listener "::1" }, function(four, six)
      for silent, there in pairs { [AAAA] = four, [A] = six } do
        kit.with_default(nil, { timeout = 1000 }, function(server)
          server:misbehave("here.example", silent_for(silent))
          connects_to(there, "here.example", there.port, { timeout = 20 })
          is_quiet()
        end)
      end
    end)
  end)

  it("follows aliases, and says what there is not", function()
    with_places({ listener "127.0.0.1" }, function(four)
      local zones = kit.servers.KNOWN .. "moved.example CNAME here.example\n"
      kit.with_default(zones, nil, function(server)
        connects_to(four, "moved.example", four.port, { timeout = 20 })
        fails("EAI_NONAME", green.connect("nobody.example", 80, { timeout = 20 }))
        fails("EAI_FAMILY", green.connect("six.example", 80, { timeout = 20, family = "inet" }))
        server:misbehave("*", "servfail")
        fails("EAI_AGAIN", green.connect("both.example", 80, { timeout = 20 }))
        is_quiet()
      end)
    end)
  end)

  it("leaves no question behind when it is killed or late", function()
    kit.with_default(nil, { timeout = 1000 }, function(server)
      server:misbehave("*", "silent")
      local t = kit.caught(server, green.connect, "www.example", 80)
      assert.is_true(questions_out() > 0)
      t:kill()
      is_quiet()
      local err = fails("ETIMEDOUT", green.connect("four.example", 80, { timeout = 0.05 }))
      assert.matches("^connect four.example:80: ", tostring(err))
      is_quiet()
    end)
  end)

  it("leaves none when it is killed between the families", function()
    local full = full_listener "127.0.0.1"
    with_places({ full }, function()
      kit.with_default(nil, { timeout = 1000 }, function(server)
        server:misbehave("here.example", silent_for(AAAA))
        for _, seconds in ipairs { 0.02, 0.15 } do -- within the resolution delay, and behind it
          local t = green.spawn(green.connect, "here.example", full.port)
          green.sleep(seconds)
          assert.is_false(t:dead())
          t:kill()
          is_quiet()
        end
      end)
    end)
  end)
end)
