-- green.http: requests over pooled connections, against green.wsgi on loopback.

local green = require "green"
local http = require "green.http"
local testing = require "green.testing"

local kit = dofile("spec/support/http.lua")
local _, it_real = testing.busted()
local it = kit.its(it_real)

local function with_session(opts, fn)
  local session = http.session(opts)
  local ok, err = pcall(fn, session)
  session:close()
  if not ok then
    error(err, 0)
  end
end

describe("green.http", function()
  it("gets a text over a connection that is kept", function(serve)
    local server = serve(function(env)
      return 200, { ["content-type"] = "text/plain" }, "you asked for " .. env.PATH_INFO
    end)
    with_session({ base_url = "http://127.0.0.1:" .. server.port }, function(session)
      for i = 1, 3 do
        local resp = assert(session:get("/page" .. i))
        assert.equal(200, resp.status)
        assert.is_true(resp.ok)
        assert.equal("OK", resp.reason)
        assert.equal("text/plain", resp.headers["Content-Type"])
        assert.equal("you asked for /page" .. i, resp:text())
        assert.equal(resp:text(), resp:text())
        assert.same({ open = 1, idle = 1, waiting = 0 }, session:stats())
      end
    end)
  end)

  it("says who, where and why when it fails", function()
    local resp, err = http.get("http://user:secret@127.0.0.1:1/x")
    assert.is_nil(resp)
    assert.equal("ECONNREFUSED", err.code)
    assert.equal("connect", err.phase)
    assert.equal("GET", err.method)
    assert.equal("http://127.0.0.1:1/x", err.url)
    assert.is_nil(tostring(err):find("secret", 1, true))
    assert.matches("^GET http://127.0.0.1:1/x: connecting: ", tostring(err))
    assert.equal("ECONNREFUSED", err.cause.code)
  end)

  it("shows what is no URL, without its user and password", function()
    local long = "x" .. ("y"):rep(300)
    for text, shown in pairs {
      ["ftp://u:pw@x/?a=b@c"] = "ftp://***@x/?a=b@c: the scheme ftp is not http or https",
      ["http://joe:s/e#cret@h:99999/"] = "http://***@h:99999/: ",
      ["http://"] = "http://: it must have a host, as in http://example.com/ (at byte 8",
      ["//joe:pw@h"] = "//***@h: it must begin with http:// or",
      ["http://a\27b/"] = "http://a: ",
      [long] = long:sub(1, 200) .. "...: it must begin with http:// or",
    } do
      local resp, err = http.get(text)
      assert.is_nil(resp)
      assert.equal("EINVAL", err.code)
      assert.equal("url", err.phase)
      assert.equal("GET " .. shown, tostring(err):sub(1, #shown + 4))
      assert.equal(shown:match("^(.-): "), err.url)
      assert.is_nil(tostring(err):find("cret", 1, true))
      assert.is_nil(tostring(err):find("pw", 1, true))
    end
    assert.error_matches(function() http.get {} end,
      "get: url must be a URL or the text of one, not a table")
    local _, err = http.post(require("green.url").parse "ftp://joe:secret@x/", { json = 1 })
    assert.equal("POST ftp://***@x/: the scheme ftp is not http or https (EINVAL)", tostring(err))
  end)

  it("posts, and sends what it is told", function(serve)
    local server = serve(function(env)
      return 200, nil, table.concat({ env.REQUEST_METHOD, env.QUERY_STRING or "",
        env.HTTP_X_A or "-", env.CONTENT_TYPE or "-", env.input:read() or "" }, "|")
    end)
    with_session({ base_url = "http://127.0.0.1:" .. server.port }, function(session)
      assert.equal("POST|a=1&b=x+y|q|application/x-www-form-urlencoded|k=v", session:post("/?a=1", {
        params = { b = "x y" }, headers = { ["X-A"] = "q" }, form = { k = "v" } }):text())
      assert.equal("PUT||-|-|one two", session:put("/", { body = { "one", " two" } }):text())
      local pieces = { "1", "2", "3" }
      assert.equal("PATCH||-|-|123", session:patch("/", { body = function()
        return table.remove(pieces, 1)
      end }):text())
      assert.equal("POST||-|-|", session:post("/"):text())
    end)
  end)

  it("follows redirects", function(serve)
    local server = serve(function(env)
      if env.PATH_INFO == "/a" then
        return 302, { location = "b?x=1" }, "gone"
      end
      return 200, nil, env.REQUEST_METHOD .. env.PATH_INFO .. env.QUERY_STRING
    end)
    with_session({ base_url = "http://127.0.0.1:" .. server.port }, function(session)
      local resp = assert(session:post("/a", { body = "x" }))
      assert.equal("GET/bx=1", resp:text())
      assert.equal(1, #resp.history)
      assert.equal(302, resp.history[1].status)
      assert.equal(302, session:get("/a", { redirects = 0 }).status)
      local _, err = session:get("/a", { redirects = { most = 0 } })
      assert.is_nil(err)
    end)
  end)

  local function gather(next_one, ...)
    local all = {}
    for one in next_one, ... do all[#all + 1] = one end
    return table.concat(all, "|")
  end

  local ways = {
    text = function(resp) return resp:text() .. resp:text(), "ab\ncdab\ncd" end,
    read = function(resp) return gather(function() return resp:read() end), "ab\ncd" end,
    ["read(2)"] = function(resp)
      return gather(function() return resp:read(2) end), "ab|\nc|d"
    end,
    read_some = function(resp)
      return gather(function() return resp:read_some(4) end), "ab\nc|d"
    end,
    chunks = function(resp) return gather(resp:chunks()), "ab\ncd" end,
    lines = function(resp) return gather(resp:lines()), "ab|cd" end,
    ["read and text"] = function(resp) return resp:read(1) .. resp:text(), "ab\ncd" end,
    save = function(resp)
      local path = os.tmpname()
      assert(resp:save(path))
      local file = io.open(path)
      local text = file:read("*a")
      file:close()
      os.remove(path)
      return text, "ab\ncd"
    end,
    close = function(resp)
      resp:close()
      return select(2, resp:text()).code, "ECLOSED"
    end,
  }
  for name, way in pairs(ways) do
    it("reads a body by " .. name .. ", whatever came before over the connection", function(serve)
      local server = serve(function() return 200, nil, "ab\ncd" end)
      with_session({ base_url = "http://127.0.0.1:" .. server.port }, function(session)
        for _ = 1, 3 do
          local resp = assert(session:get("/"))
          local got, wanted = way(resp)
          assert.equal(wanted, got)
          assert.is_truthy(resp.timings.total >= resp.timings.head)
        end
      end)
    end)
  end

  it("has the limit of a body over a connection that is kept, too", function(serve)
    local size = 4
    local server = serve(function() return 200, nil, ("x"):rep(size) end)
    with_session({ base_url = "http://127.0.0.1:" .. server.port, max_body = 4 },
      function(session)
        assert.equal("xxxx", session:get("/"):text())
        assert.equal("xxxx", session:get("/"):text())
        size = 5
        assert.equal("ETOOBIG", select(2, session:get("/")).code)
      end)
  end)

  it("lets no request have a connection that its allow has not been asked for", function(serve)
    local server = serve(function() return 200, nil, "inside" end)
    with_session({ base_url = "http://127.0.0.1:" .. server.port }, function(session)
      local asked = 0
      local function anything()
        asked = asked + 1
        return true
      end
      assert.equal("inside", session:get("/"):text()) -- its connection is kept
      assert.equal("EACCES", select(2, session:get("/", { allow = "public" })).code)
      assert.equal("inside", session:get("/", { allow = anything }):text())
      assert.equal("inside", session:get("/", { allow = anything }):text())
      assert.equal(1, asked) -- the same one's connection is used again
      assert.equal("EACCES", select(2, session:get("/", { allow = function() end })).code)
    end)
  end)

  for _, name in ipairs { "pool", "connect", "first", "between", "total", "all" } do
    it("waits for as long as it takes where " .. name .. " is false", function(serve)
      local asked, head, body = green.Event(), green.Event(), green.Event()
      local server = serve(function(env)
        env["green.minimum_write_chunk_size"] = 0
        if not asked:ready() then asked:send() end
        head:wait()
        local pieces = { function() return "a" end, function() body:wait() return "b" end }
        return 200, nil, function()
          local piece = table.remove(pieces, 1)
          return piece and piece()
        end
      end)
      with_session({ pool = { per_origin = 1 }, base_url = "http://localhost:" .. server.port,
        timeout = name ~= "all" and { [name] = false } }, function(session)
        local first = green.spawn(session.get, session, "/", { stream = true })
        asked:wait()
        local second = green.spawn(session.get, session, "/")
        testing.settle()
        head:send()
        local resp = assert(first:wait())
        assert.equal("a", resp:read(1))
        local rest = green.spawn(resp.text, resp)
        testing.settle() -- it waits for bytes
        body:send()
        assert.equal("b", rest:wait())
        assert.equal("ab", assert(second:wait()):text())
      end)
    end)
  end
end)
