-- A handler in this process, by the option `app`, against the same one in a server.

local http = require "green.http"
local testing = require "green.testing"

local kit = dofile("spec/support/http.lua")
local _, it_real = testing.busted()
local it = kit.its(it_real)

local KEYS = { "REQUEST_METHOD", "REQUEST_URI", "SERVER_PROTOCOL", "PATH_INFO", "RAW_PATH_INFO",
  "SCRIPT_NAME", "GATEWAY_INTERFACE", "SERVER_SOFTWARE", "QUERY_STRING", "CONTENT_TYPE",
  "CONTENT_LENGTH", "REMOTE_ADDR", "SERVER_PORT", "HTTP_HOST", "HTTP_X_A", "HTTP_PROXY",
  "wsgi.url_scheme", "wsgi.multithread", "wsgi.run_once", "HTTPS" }

local function told(env)
  local lines = {}
  for i, key in ipairs(KEYS) do
    lines[i] = key .. "=" .. tostring(env[key])
  end
  for _, pair in ipairs(env.headers_raw) do
    lines[#lines + 1] = pair[1] .. ": " .. pair[2]
  end
  return 200, nil, table.concat(lines, "\n")
end

local function collected(next_one)
  local all = {}
  for one in next_one do all[#all + 1] = one end
  return table.concat(all, "|")
end

local readings = {
  function(input) return input:read() end,
  function(input) return input:read(2) .. "|" .. input:read() end,
  function(input) return input:read_line() .. "|" .. input:read_line() end,
  function(input) return collected(input:lines()) end,
  function(input) return collected(input:chunks()) end,
  function(input) return input:read_some(3) end,
  function(input) input:discard() return tostring(input:read()) end,
  function(input) return tostring(input.length) end,
}

local function counted(n, piece)
  return function()
    n = n - 1
    return n >= 0 and piece or nil
  end
end

-- What handlers answer, by what is said of them.
local answers = {
  ["a text"] = function()
    return 200, { ["X-B"] = "1", ["Set-Cookie"] = { "a=1", "b=2" } }, "text"
  end,
  ["pairs, and no body"] = function()
    return 404, { { "X-B", "1" }, { "Set-Cookie", "a=1" }, { "Set-Cookie", "b=2" } }
  end,
  ["a line, and a list"] = function() return "201 Made", nil, { "a", "b", 3 } end,
  ["numbers as values"] = function() return 200, { ["X-B"] = 7 }, "" end,
  ["an iterator"] = function() return 200, nil, counted(3, "ab") end,
  ["an iterator with a length"] = function()
    return 200, { ["Content-Length"] = 6 }, counted(3, "ab")
  end,
  ["empty pieces"] = function() return 200, nil, counted(3, "") end,
  ["an object with read"] = function()
    local left = { "a", "b" }
    return 200, nil, { read = function() return table.remove(left, 1) end }
  end,
  ["a file"] = function() return 200, nil, io.open "greenc.pc.in" end,
  ["a part of a file"] = function()
    return 200, { ["Content-Length"] = "5" }, io.open "/dev/zero"
  end,
  ["nothing that may have a body"] = function() return 204, nil, "no" end,
  ["another that has none"] = function() return 304, { ["Content-Length"] = 5 }, nil end,
  ["a page that is not there"] = function() error { 404, "no such page" } end,
  ["start_response and a list"] = function(_, start_response)
    start_response("200 Fine", { ["X-B"] = "1" })
    return { "a", "b" }
  end,
  ["start_response and write"] = function(_, start_response)
    local write = start_response(201, { { "X-B", "1" } })
    write "one "
    write "two "
    return { "three" }
  end,
  ["start_response, and again with an error"] = function(_, start_response)
    start_response(200)
    start_response(503, nil, "an error")
    return "sorry"
  end,
  ["start_response in a generator"] = function(_, start_response)
    local n = 0
    return function()
      n = n + 1
      if n == 1 then start_response(200, { ["X-B"] = "late" }) end
      return n < 4 and tostring(n) or nil
    end
  end,
}

-- Mistakes: a server logs them and answers with 500, or cuts the connection.
local mistakes = {
  ["no status"] = function() end,
  ["a bad status"] = function() return 99 end,
  ["a bad line"] = function() return "fine" end,
  ["headers that are none"] = function() return 200, "text" end,
  ["a header with a line end"] = function() return 200, { ["X-B"] = "a\r\nb" } end,
  ["a header without a name"] = function() return 200, { [""] = "a" } end,
  ["a header with a bad name"] = function() return 200, { ["a b"] = "a" } end,
  ["a header that is a table of names"] = function() return 200, { ["X-B"] = { a = 1 } } end,
  ["a header that is a boolean"] = function() return 200, { { "X-B", true } } end,
  ["a header that is no pair"] = function() return 200, { "X-B: 1" } end,
  ["a coding"] = function() return 200, { ["Transfer-Encoding"] = "chunked" } end,
  ["a bad length"] = function() return 200, { ["Content-Length"] = "many" }, "a" end,
  ["another length"] = function() return 200, { ["Content-Length"] = 5 }, "abc" end,
  ["a body that is a boolean"] = function() return 200, nil, true end,
  ["a list with a table"] = function() return 200, nil, { "a", {} } end,
  ["a record"] = function() return 200, nil, { name = "x" } end,
  ["a file that is not there"] = function() return 200, nil, io.open "/nowhere/x" end,
  ["a piece that is a table"] = function() return 200, nil, counted(1, {}) end,
  ["an iterator that is too long"] = function()
    return 200, { ["Content-Length"] = 3 }, counted(2, "ab")
  end,
  ["an iterator that is too short"] = function()
    return 200, { ["Content-Length"] = 5 }, counted(2, "ab")
  end,
  ["start_response twice"] = function(_, start_response)
    start_response(200)
    start_response(200)
  end,
  ["a generator that says nothing"] = function(_, start_response)
    return counted(start_response and 1 or 1, "a")
  end,
  ["a text that is raised"] = function() error("out of tea", 0) end,
  ["a text that an iterator raises"] = function()
    return 200, nil, function() error("out of tea", 0) end
  end,
  ["a text that write is given too much of"] = function(_, start_response)
    start_response(200, { ["Content-Length"] = 2 }) "abc"
    return {}
  end,
}

--- Call fn with a session over the network, then with one without; their results.
local function both(serve, handler, fn)
  local port = serve(handler).port
  local base = "http://127.0.0.1:" .. port
  local results = {}
  for i, app in ipairs { false, handler } do
    local session = http.session { base_url = base, app = app or nil }
    results[i] = fn(session)
    session:close()
  end
  return results[1], results[2]
end

describe("green.http, with a handler for a server,", function()
  it("gives it what a server does", function(serve)
    for _, call in ipairs {
      { "get", "/" }, { "get", "/?" }, { "get", "/a%20b?x=1&y=%20" },
      { "post", "/a", { body = "text", headers = { ["Content-Type"] = "text/x" } } },
      { "get", "/", { headers = { { "X-A", "1" }, { "X-A", "2" }, { "Proxy", "p" } } } },
      { "post", "/", { form = { a = 1 } } },
    } do
      local there, here = both(serve, told, function(session)
        return assert(session[call[1]](session, call[2], call[3])):text()
      end)
      assert.equal(there, here)
    end
  end)

  it("lets it read the body in each way", function(serve)
    for i, read in ipairs(readings) do
      local there, here = both(serve, function(env) return 200, nil, read(env.input) end,
        function(session) return session:post("/", { body = "one\ntwo" }):text() end)
      assert.equal(there, here, i)
    end
  end)

  for said, answer in pairs(answers) do
    it("takes what it answers: " .. said, function(serve)
      for _, method in ipairs { "GET", "HEAD" } do
        local there, here = both(serve, answer, function(session)
          local resp = session:request(method, "/")
          local headers = resp.headers
          return table.concat({ resp.status, resp.reason, tostring(headers["x-b"]),
            table.concat(headers:all "set-cookie", "|"), tostring(headers["content-length"]),
            tostring(headers["transfer-encoding"]), resp:text() }, " ")
        end)
        assert.equal(there, here)
      end
    end)
  end

  for said, answer in pairs(mistakes) do
    it("raises what a server logs: " .. said, function(serve)
      local server = serve(answer)
      local base = "http://127.0.0.1:" .. server.port
      local session = http.session { base_url = base }
      local resp = session:get("/")
      local text = resp and resp.status == 500 or not resp or not resp:text()
      session:close()
      assert.is_true(text)
      local logged = table.concat(server.log):match "GET /: ([^\n]+)"
      logged = logged:gsub(" %(handler at.*", ""):gsub("^%S+:%d+: ", "")
      session = http.session { app = answer }
      local ok, err = pcall(function() return assert(session:get "http://a.test/"):text() end)
      session:close()
      assert.is_false(ok)
      assert.equal(logged, (tostring(err):gsub("^%S+:%d+: ", "")))
    end)
  end

  it("may be all that a server takes for one", function(serve)
    local function handler(env) return 200, nil, "at " .. env.PATH_INFO end
    package.loaded["spec.an_app"] = handler
    for _, app in ipairs { { run = handler }, "spec.an_app",
      setmetatable({}, { __call = function(_, env) return handler(env) end }) } do
      local there, here = both(serve, app, function(session)
        return session:get("/x"):text()
      end)
      assert.equal("at /x", there)
      assert.equal(there, here)
    end
    package.loaded["spec.an_app"] = nil
    assert.error_matches(function() http.session { app = 5 } end, "session: app must be a function")
  end)

  it("has its body closed and its posthooks called when the answer is over", function(serve)
    for _, way in ipairs { "read", "head", "close", "raises" } do
      local there, here = both(serve, function(env)
        local seen = {}
        local body = setmetatable({ close = function() seen[#seen + 1] = "closed" end }, {
          __call = counted(way == "close" and 1e6 or 3, ("x"):rep(1000)) })
        env.posthooks[1] = { function(own, a)
          seen[#seen + 1] = (own == env and "own " or "") .. a
          _G.seen_by_app = table.concat(seen, ", ")
        end, "hook" }
        if way == "raises" then error("no", 0) end
        return 200, nil, body
      end, function(session)
        _G.seen_by_app = nil
        local ok, resp = pcall(session.request, session, way == "head" and "HEAD" or "GET", "/",
          { stream = true })
        if ok and way == "read" then resp:text() end
        if ok then resp:close() end
        testing.settle_io()
        return tostring(_G.seen_by_app)
      end)
      assert.equal(way == "raises" and "own hook" or "closed, own hook", here, way)
      assert.equal(there, here)
    end
    _G.seen_by_app = nil
  end)

  it("streams: nothing of a body is made before it is wanted", function()
    local made = 0
    local session = http.session { app = function()
      return 200, nil, function()
        made = made + 1
        return "piece"
      end
    end }
    local resp = session:get("http://a.test/", { stream = true })
    assert.equal(1, made) -- with the head
    assert.equal("piece", resp:read_some())
    assert.equal("piece", resp:read_some())
    assert.is_true(made <= 3)
    resp:close()
    session:close()
  end)

  it("has no connection to take over", function()
    local session = http.session { app = function(env)
      local stream, err = env.take_over()
      return 200, nil, tostring(stream) .. " " .. err.code
    end }
    assert.equal("nil EOPNOTSUPP", session:get("http://a.test/"):text())
    session:close()
  end)
end)
