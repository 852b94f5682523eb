local green = require "green"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local kit = dofile("spec/support/wsgi_kit.lua")
local _, it = testing.busted()

local with = kit.with

describe("posthooks", function()
  it("run in order, with env and their arguments, behind the last byte [S45] [b121]", function()
    local order = {}
    with(function(env)
      table.insert(env.posthooks, { function(e, a, b, c)
        order[#order + 1] = { e == env, a, b, c }
        error("hooks may fail")
      end, 1, nil, 3 })
      table.insert(env["eventlet.posthooks"], { function() order[#order + 1] = "second" end })
      return 200, nil, "x"
    end, function(client)
      local conn = client:connect("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      assert.equal("x", (select(3, kit.read_answer(conn))))
      testing.settle_io()
      assert.same({ { true, 1, nil, 3 }, "second" }, order)
      conn:close()
    end)
  end)

  it("run when the client has gone, when the handler failed, and from a new list", function()
    local ran = {}
    with(function(env)
      env.posthooks = { { function() ran[env.PATH_INFO] = true end } }
      if env.PATH_INFO == "/fail" then error("failed") end
      if env.PATH_INFO == "/take" then env.take_over():close() end
      return 200, nil, function() return ("x"):rep(65536) end
    end, function(client)
      client:get("/fail")
      client:get("/take")
      local conn = client:connect("GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")
      conn:read(1)
      conn:close()
      testing.settle_io(function() return ran["/gone"] end)
      assert.same({ ["/fail"] = true, ["/take"] = true, ["/gone"] = true }, ran)
    end)
  end)
end)

describe("take_over", function()
  local request = "GET /take HTTP/1.1\r\nHost: x\r\n\r\n"

  local function shout(env)
    local stream = assert(env.take_over())
    for line in stream:lines() do
      stream:write(line:upper(), "\n")
    end
    stream:close()
  end

  it("gives the handler a stream, with what has come behind the head [b135]", function()
    with(shout, function(client, server)
      local conn = client:connect(request .. "one\ntw")
      assert.equal("ONE", conn:read_line())
      assert.equal(1, server:stats().taken_over)
      assert.equal(0, server:stats().connections)
      conn:write("o\n")
      assert.equal("TWO", conn:read_line())
      conn:close()
      testing.settle_io()
      assert.equal(0, server:stats().taken_over)
    end)
  end)

  it("works below an iterator and other middleware, each request for itself [b135]", function()
    local counts = {}
    local function inner(env)
      if env.PATH_INFO == "/take" then return shout(env) end
      return 200, nil, "plain"
    end
    with(function(env)
      local copy = setmetatable({}, { __index = env })
      local body
      return 200, nil, setmetatable({ close = function() counts.closed = true end }, {
        __call = function()
          if not body then
            body = select(3, inner(copy)) or ""
            return body
          end
        end,
      })
    end, function(client)
      local conn = client:connect(request .. "hello\n")
      assert.equal("HELLO", conn:read_line())
      assert.equal("plain", (select(3, client:get("/"))))
      conn:close()
      testing.settle_io(function() return counts.closed end)
    end)
  end)

  it("sends the answers of earlier requests first", function()
    with(function(env)
      if env.PATH_INFO == "/take" then return shout(env) end
      return 200, nil, "plain"
    end, function(client)
      local conn = client:connect("GET / HTTP/1.1\r\nHost: x\r\n\r\n" .. request .. "x\n")
      assert.equal("plain", (select(3, kit.read_answer(conn))))
      assert.equal("X", conn:read_line())
      conn:close()
    end)
  end)

  it("ends the handler's time limit, not before it has the connection", function()
    local ends = {}
    with(function(env)
      local copy = setmetatable({}, { __index = env }) -- as a middleware may hand it on
      if env.PATH_INFO == "/slow" then
        ends.slow = { pcall(green.sleep, 60) }
      end
      local stream, err = copy.take_over()
      ends.take = err
      green.sleep(0.05) -- longer than the time limit
      stream:write("taken")
      stream:close()
    end, { handler_timeout = 0.02 }, function(client)
      local taken = client:connect(request)
      assert.equal("taken", taken:read_all())
      taken:close()
      assert.is_nil(ends.take)
      assert.equal(500, (client:get("/slow")))
      assert.is_false(ends.slow[1])
      assert.is_true(ends.slow[2]:is("ETIMEDOUT"))
    end)
  end)

  it("leaves the handler its own timeouts", function()
    local ended
    with(function(env)
      local own = green.Timeout(0.01)
      local stream = env.take_over()
      local ok, err = pcall(green.sleep, 60)
      own:cancel()
      ended = not ok and err == own
      stream:close()
    end, { handler_timeout = 5 }, function(client)
      local conn = client:connect(request)
      assert.is_nil(conn:read_some())
      conn:close()
      assert.is_true(ended)
    end)
  end)

  it("is refused when an answer has left, and when the request is over", function()
    local kept, late, code
    with(function(env)
      kept = env
      local n = 0
      return 200, nil, function()
        n = n + 1
        if n == 2 then late, code = env.take_over() end
        return n < 3 and ("x"):rep(70000) or nil
      end
    end, function(client)
      client:get("/")
      assert.is_nil(late)
      assert.is_true(code:is("EBUSY"))
      local stream, err = wsgi.take_over(kept)
      assert.is_nil(stream)
      assert.is_true(err:is("ECLOSED"))
    end)
  end)
end)
