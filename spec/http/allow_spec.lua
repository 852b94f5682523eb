-- Requests that strangers ask for, beside others of the same session.

local green = require "green"
local http_client = require "spec.support.http_client"
local program = require "spec.support.program"

local it_serves = http_client.its(it)
local GOOD = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"

describe("green.http, allow", function()
  it_serves("is asked though a connection is kept that others may use", function(serve, session)
    local server = serve(http_client.answers(GOOD))
    local yes, no = function() return true end, function() return false, "mine" end
    for _, allow in ipairs { false, yes } do
      assert.equal("good", session:get(server.url, { allow = allow or nil }):text())
      for reason, other in pairs { loopback = "public", mine = no } do
        local resp, err = session:get(server.url, { allow = other })
        assert.is_nil(resp)
        assert.equal("EACCES", err.code)
        assert.equal(reason, err.cause.reason)
      end
    end
    assert.equal("good", session:get(server.url, { allow = yes }):text())
    assert.equal(2, server.connections)
  end)

  it_serves("goes by no proxy of the environment that others have used", function(serve)
    local server = serve(http_client.answers(GOOD))
    local path = program.file [[
      local http = require "green.http"
      print(http.get("http://127.0.0.1:1/"):text())
      print(select(2, http.get("http://127.0.0.1:1/", { allow = "public" })).code)
    ]]
    local child = program.start { "env", "-u", "no_proxy", "-u", "NO_PROXY", "http_proxy="
      .. server.url, program.greenlua, path }
    while child:poll() == nil do
      green.sleep(0.01)
    end
    child:wait()
    os.remove(path)
    assert.equal("good\nEACCES\n", child.out .. child.err)
  end)

  describe("beside what it cannot be asked about", function()
    local http = require "green.http"
    local PROXY = "http://127.0.0.1:1"

    local function raises(text, fn, ...)
      local ok, err = pcall(fn, ...)
      assert.is_false(ok)
      assert.matches(text, err)
      assert.matches("^spec/http/allow_spec.lua:%d+: ", err)
    end

    it("raises: a proxy that was given", function()
      local text = "allow cannot be asked behind a proxy.*trusted = true"
      raises(text, function() http.session { allow = "public", proxy = PROXY } end)
      raises(text, function()
        http.get("http://a.test/", { allow = "public", proxy = { https = PROXY } })
      end)
      for _, options in ipairs { { { allow = "public" }, { proxy = PROXY } },
        { { proxy = PROXY }, { allow = "public" } } } do
        local session = http.session(options[1])
        raises(text, function() session:get("http://a.test/", options[2]) end)
        session:close()
      end
    end)

    it("raises: a UNIX socket", function()
      raises("allow cannot be asked about a UNIX socket", function()
        http.session { allow = "public", unix = "/x" }
      end)
    end)

    it_serves("does not where the caller has said it", function(serve, session)
      local server = serve(http_client.answers(GOOD))
      local opts = { allow = "public", proxy = { all = server.url, trusted = true } }
      assert.equal("good", session:get("http://a.test/", opts):text())
      opts = { allow = function() return true end, proxy = false }
      assert.equal("good", session:get(server.url, opts):text())
      local own = http.session { allow = "public" }
      assert.equal("EACCES", select(2, own:get(server.url)).code)
      assert.equal("good", own:get(server.url, { allow = false }):text())
      local path = os.tmpname()
      os.remove(path)
      assert.equal("ENOENT", select(2, own:get(server.url, { allow = false, unix = path })).code)
      own:close()
    end)
  end)
end)
