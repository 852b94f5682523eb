local errors = require "green.error"
local date = require "green.http.date"
local retry = require "green.http.retry"

local function always(value)
  return function() return value end
end

local function policy(more)
  local value = { random = always(1) }
  for name, option in pairs(more or {}) do
    value[name] = option
  end
  return retry.policy(value, "get")
end

local function delay(attempt, what, more)
  return retry.delay(attempt, what, policy(more))
end

local BUSY = { method = "GET", status = 503 }

describe("green.http.retry", function()
  it("tries nothing again unless it is told to", function()
    assert.is_nil(retry.policy(nil, "get"))
    assert.is_nil(retry.policy(false, "get"))
    assert.is_nil(retry.delay(1, BUSY, nil))
    assert.equal(3, retry.policy(true, "get").tries)
    assert.equal(7, retry.policy(7, "get").tries)
  end)

  it("doubles the wait up to the cap, and ends after the last try", function()
    local opts = { tries = 8 }
    local waits = {}
    for attempt = 1, 9 do
      waits[attempt] = delay(attempt, BUSY, opts)
    end
    assert.same({ 0.5, 1, 2, 4, 8, 16, 30, 30 }, waits)
    assert.equal(30, delay(5000, BUSY, { tries = math.huge }))
    assert.equal(0, delay(5000, BUSY, { tries = math.huge, cap = 0 }))
  end)

  it("waits a random part of that", function()
    assert.equal(0, delay(3, BUSY, { random = always(0) }))
    assert.equal(1, delay(3, BUSY, { random = always(0.5) }))
    local seen = {}
    for i = 1, 100 do
      seen[i] = retry.delay(3, BUSY, retry.policy(true, "get"))
      assert.is_true(seen[i] >= 0 and seen[i] < 2)
    end
  end)

  it("knows which answers may be other ones the next time", function()
    for status = 200, 599 do
      local wanted = status == 429 or status == 502 or status == 503 or status == 504
      assert.equal(wanted, delay(1, { method = "GET", status = status }) ~= nil, status)
    end
    assert.is_nil(delay(1, BUSY, { statuses = { 500 } }))
    assert.is_number(delay(1, { method = "GET", status = 500 }, { statuses = { 500 } }))
  end)

  it("knows which failures may be other ones the next time", function()
    for _, code in ipairs { "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "EEOF" } do
      assert.is_number(delay(1, { method = "GET", err = errors.new(code) }), code)
    end
    for _, code in ipairs { "EAI_NONAME", "EINVAL", "ECERTHOST", "EACCES", "EPROTO", "ETOOBIG",
      "ECANCELED", "ECLOSED" } do
      assert.is_nil(delay(1, { method = "GET", err = errors.new(code) }), code)
    end
    assert.is_nil(delay(1, { method = "GET", err = "some text" }))
  end)

  it("sends nothing twice that may have an effect each time", function()
    for _, method in ipairs { "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE" } do
      assert.is_number(delay(1, { method = method, status = 503 }), method)
    end
    for _, method in ipairs { "POST", "PATCH", "CONNECT", "get", "LOCK" } do
      assert.is_nil(delay(1, { method = method, status = 503 }), method)
    end
    assert.is_number(delay(1, { method = "POST", status = 503 }, { methods = { "POST" } }))
  end)

  it("sends anything again that never left", function()
    local err = errors.new("ECONNREFUSED")
    assert.is_number(delay(1, { method = "POST", err = err, unsent = true }))
    assert.is_nil(delay(1, { method = "POST", err = err }))
  end)

  it("sends no body again that is gone", function()
    assert.is_nil(delay(1, { method = "PUT", status = 503, resendable = false }))
    assert.is_number(delay(1, { method = "PUT", status = 503, resendable = true }))
  end)

  it("waits at least as long as the server says", function()
    assert.equal(7.5, delay(1, { method = "GET", status = 503, retry_after = "7" }))
    assert.equal(0.5, delay(1, { method = "GET", status = 503, retry_after = "soon" }))
    assert.is_nil(delay(1, { method = "GET", status = 429, retry_after = "61" }))
    assert.is_number(delay(1, { method = "GET", status = 429, retry_after = "61" },
      { max_wait = 100 }))
  end)

  it("reads Retry-After as seconds and as a date", function()
    local now = 784111777
    assert.equal(120, retry.after("120"))
    assert.equal(0, retry.after("0"))
    assert.equal(60, retry.after(date.format(now + 60), now))
    assert.equal(0, retry.after(date.format(now - 60), now))
    assert.equal(math.huge, retry.after(("9"):rep(60)) > 1e50 and math.huge)
    for _, text in ipairs { "", "-1", "1.5", "1e3", " 1", "0x10", "tomorrow", ("1"):rep(65) } do
      assert.is_nil(retry.after(text), text)
    end
    assert.is_nil(retry.after(nil))
  end)

  it("stops when the budget is used up, and goes on when it was earned", function()
    local budget = retry.budget { tries = 2, ratio = 0.5 }
    local opts = { budget = budget }
    assert.is_number(delay(1, BUSY, opts))
    assert.is_number(delay(1, BUSY, opts))
    assert.is_nil(delay(1, BUSY, opts))
    assert.equal("green.http.retry_budget{0 of 2 left}", tostring(budget))
    budget:earn()
    assert.is_nil(delay(1, BUSY, opts))
    budget:earn()
    assert.is_nil(delay(1, { method = "POST", status = 503 }, opts)) -- which takes nothing
    assert.equal(1, budget:left())
    assert.is_number(delay(1, BUSY, opts))
    for _ = 1, 10 do budget:earn() end
    assert.equal(2, budget:left())
  end)

  it("raises for options that are none", function()
    local function raises(value, text)
      assert.error_matches(function() retry.policy(value, "get") end, text)
    end
    raises("often",
      'get: retries must be true, false, a number of tries or a table, not "often"')
    raises({ tris = 1 }, "get: retries: unknown option 'tris'; did you mean 'tries'%?")
    raises({ tries = -1 }, "get: retries.tries must be")
    raises(1.5, "get: retries must be a whole number")
    raises({ base = "1" }, "get: retries.base must be a number")
    raises({ statuses = { "503" } }, "get: retries.statuses%[1%] must be a number")
    raises({ budget = {} }, "get: retries.budget must be what http.retry_budget gave")
    raises({ random = 1 }, "get: retries.random must be a function")
  end)
end)
