-- WSAPI applications as Debian packages them (lua-wsapi, lua-cgi), unmodified, over
-- real sockets. Answers are compared with those that the reference gives: its own
-- CGI launcher, run by lua5.1.

local green = require "green"
local testing = require "green.testing"

local kit = dofile("spec/support/wsgi_kit.lua")
local wsapi = dofile("spec/support/wsapi_kit.lua")
local _, real_it = testing.busted()

local it_with = wsapi.its(real_it, pending)
local with_files, serve = wsapi.with_files, wsapi.serve
local body_of, compare, logged = wsapi.body_of, wsapi.compare, wsapi.logged
local DOC, FORM = wsapi.DOC, wsapi.FORM
-- Shows what an application sees, by the package's own modules.
local PROBE = [==[
#!/usr/bin/env wsapi.cgi
local request, response = require "wsapi.request", require "wsapi.response"
local util = require "wsapi.util"

local function show(value)
  if type(value) ~= "table" then return tostring(value) end
  local out = {}
  for k, v in pairs(value) do out[#out + 1] = tostring(k) .. "=" .. show(v) end
  table.sort(out)
  return "{" .. table.concat(out, ",") .. "}"
end

local pages = {}

function pages.see(env, res)
  for _, name in ipairs { "REQUEST_METHOD", "PATH_INFO", "SCRIPT_NAME", "QUERY_STRING",
      "CONTENT_TYPE", "CONTENT_LENGTH", "GATEWAY_INTERFACE", "SERVER_PROTOCOL", "REMOTE_ADDR",
      "HTTP_X_ONE", "HTTP_COOKIE", "HTTP_NONE", "DOCUMENT_ROOT", "REMOTE_USER", "STATUS" } do
    res:write(name, "=", env[name], "\n")
  end
  local req = request.new(env)
  res:write("GET ", show(req.GET), "\nPOST ", show(req.POST), "\n")
  res:write(show(req.params.x), show(req.cookies.a), show(req.cookies.none), "\n")
  res:write(req:link("/y", { q = "a b&c" }), req:static_link("/s"), show(req:empty_param("x")))
end

function pages.late(env, res)
  local req = request.new(env, { delay_post = true, overwrite = true })
  res:write(show(req.POST), show(req:parse_post()), show((req:parse_post())))
end

function pages.twice(env, res)
  env = util.make_rewindable(env)
  local n = tonumber(env.CONTENT_LENGTH) or 0
  local first = env.input:read(n)
  env.input:rewind()
  res:write(first, "|", env.input:read(n))
end

function pages.bits(env, res)
  res:write(env.input.length, "|", env.input:read(2), "|", env.input:read(0), "|",
    env.input:read(), "|", env.input:read(1) or "end")
end

function pages.cookies(_, res)
  res:set_cookie("one", "1; 2")
  res:delete_cookie("one", "/")
end

function pages.headers(_, res)
  res.status = "418 I Am A Teapot"
  res:content_type("text/plain")
  res.headers["X-List"] = { "a", 2 }
  res:write({ "nested ", { "lists ", 1 } }, nil)
end

function pages.number(_, res) res.status = "201" res:write("made") end
function pages.redirect(_, res) return res:redirect("/elsewhere?a=b") end
function pages.missing() error({ 404, "no such thing" }) end
function pages.broken() error("broken") end

return { run = function(env)
  local res = response.new()
  local page = pages[env.PATH_INFO:sub(2)]
  if not page then return 404, { ["Content-Type"] = "text/plain" }, function() end end
  local status, headers, body = page(env, res)
  if status then return status, headers, body end
  return res:finish()
end }
]==]

local UPLOAD = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nplain\r\n"
  .. "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"dir/a.bin\"\r\n"
  .. "Content-Type: application/x-thing\r\n\r\n\0\1\r\n--c\255\r\n--b--\r\n"

local MULTIPART = { "Content-Type: multipart/form-data; boundary=b" }

describe("WSAPI's own package", function()
  it_with("$wsapi.cgi wsapi rings", "sees what it sees behind its CGI launcher", function()
    with_files({ ["probe.lua"] = PROBE }, function(folder)
      compare(folder .. "/probe.lua", {
        { "GET", "/see" },
        { "GET", "/see?x=1&y=%41+b&x=2&z=" },
        { "GET", "/see?", lines = { "Cookie: a=1; b=%32", "X-One: 1" } },
        { "GET", "/see?x=%20", lines = { "Cookie: b=2;a=x y" } },
        { "POST", "/see?x=1", lines = { FORM }, body = "x=2&n=%0D%0A&u=%C3%A4" },
        { "POST", "/see", lines = { FORM }, body = "" },
        { "PUT", "/see", lines = { "Content-Type: application/json" }, body = "{\"a\": 1}\n" },
        { "DELETE", "/see" },
        { "POST", "/see", lines = MULTIPART, body = UPLOAD },
        { "POST", "/late", lines = { FORM }, body = "x=1&x=2" },
        { "POST", "/twice", lines = { FORM }, body = "again" },
        { "POST", "/bits", lines = { FORM }, body = "123456" },
        { "GET", "/headers" },
        { "GET", "/number" },
        { "GET", "/redirect" },
        { "GET", "/missing" },
        { "GET", "/broken" },
        { "GET", "/none" },
      })
    end)
  end)

  it_with("wsapi $wsapi.cgi " .. DOC .. "/lua-wsapi-doc/samples/hello.lua",
    "comes with a sample that runs", function()
      compare(DOC .. "/lua-wsapi-doc/samples/hello.lua", {
        { "GET", "/" }, { "GET", "/some/where?x" }, { "POST", "/", body = "ignored" },
      })
    end)

  it_with("wsapi", "sets as many cookies as it likes", function()
    with_files({ ["probe.lua"] = PROBE }, function(folder)
      serve(folder .. "/probe.lua", {}, function(client)
        local text = client:raw("GET /cookies HTTP/1.0\r\n\r\n")
        assert.truthy(text:find("\r\nSet-Cookie: one=1%3B+2\r\n", 1, true))
        assert.truthy(text:find("\r\nSet-Cookie: one=xxx; expires=Thursday, 01-Jan-1970", 1, true))
      end)
    end)
  end)

  it_with("wsapi", "reads uploads that come as chunks", function()
    with_files({ ["probe.lua"] = PROBE }, function(folder)
      serve(folder .. "/probe.lua", {}, function(client)
        local pieces = {}
        for byte in UPLOAD:gmatch(".") do
          pieces[#pieces + 1] = "1\r\n" .. byte .. "\r\n"
        end
        local chunked = body_of(kit.parse(client:raw("POST /see HTTP/1.1\r\nHost: x\r\n"
          .. "Connection: close\r\nTransfer-Encoding: chunked\r\n" .. MULTIPART[1] .. "\r\n\r\n"
          .. table.concat(pieces) .. "0\r\n\r\n")))
        assert.equal(body_of(client:get("/see", MULTIPART, UPLOAD)), chunked)
        assert.truthy(chunked:find("CONTENT_LENGTH=" .. #UPLOAD, 1, true))
      end)
    end)
  end)

  it_with("wsapi rings", "answers its mock client and a real one alike", function()
    with_files({ ["probe.lua"] = PROBE }, function(folder)
      local app = dofile(folder .. "/probe.lua")
      local mock = require("wsapi.mock").make_handler(app.run)
      local expected = mock:get("/headers", {})
      serve(app, {}, function(client)
        local status, headers, body = client:get("/headers")
        assert.same({ 418, expected.headers["Content-Type"], expected.body },
          { status, headers["content-type"], body })
      end)
    end)
  end)

  it_with("wsapi rings", "launches the files of a folder, each in its way", function()
    local common = require "wsapi.common"
    with_files({
      ["count.lua"] = [[n = (n or 0) + 1
        local app = n
        return { run = function(env)
          return 200, {}, coroutine.wrap(function() coroutine.yield(app .. env.PATH_INFO) end)
        end }]],
      ["same.ws"] = "return require 'count'",
    }, function(folder)
      for _, isolated in ipairs { true, false } do
        local loader = common.make_loader { isolated = isolated }
        serve(loader, { environ = { DOCUMENT_ROOT = folder } }, function(client)
          assert.equal("1/", body_of(client:get("/count.lua")))
          assert.equal("1/a/b", body_of(client:get("/count.lua/a/b")))
          assert.equal("1/c", body_of(client:get("/same.ws/c")))
          assert.equal(404, (client:get("/none.lua")))
        end)
      end
      assert.equal(1, n) -- luacheck: ignore 113 (the second loader's applications are in our state)
      n = nil -- luacheck: ignore 111
    end)
  end)

  it_with("wsapi rings", "reads uploads in Lua states of their own, others going first", function()
    local common = require "wsapi.common"
    local app = [[local request = require "wsapi.request"
      return function(env)
        local req = request.new(env)
        env.error:write("from inside")
        return 200, {}, coroutine.wrap(function() coroutine.yield(req.params.a) end)
      end]]
    with_files({ ["up.lua"] = app }, function(folder)
      local options = { environ = { DOCUMENT_ROOT = folder } }
      serve(common.make_loader(), options, function(client, _, log)
        local slow = client:connect("POST /up.lua HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
          .. FORM .. "\r\nContent-Length: 6\r\n\r\na=s")
        assert.equal("quick", body_of(client:get("/up.lua?a=quick")))
        slow:write("low")
        assert.equal("slow", body_of(kit.parse(slow:read_all())))
        slow:close()
        assert.truthy(logged(log):find("from inside", 1, true))
      end)
    end)
  end)

  it_with("wsapi cgilua", "runs CGILua's pages", function()
    local sapi = require "wsapi.sapi"
    with_files({
      ["a.lua"] = "cgilua.htmlheader() cgilua.put(cgilua.QUERY.x, cgilua.POST.y)",
      ["b.lp"] = "<? for i = 1, 3 do ?><%= i %>,<? end ?>",
    }, function(folder)
      local function app(env)
        env.SCRIPT_NAME, env.PATH_TRANSLATED = env.PATH_INFO, folder .. env.PATH_INFO
        return sapi.run(env)
      end
      serve(app, { environ = { DOCUMENT_ROOT = folder } }, function(client)
        assert.equal("12", body_of(client:get("/a.lua?x=1", { FORM }, "y=2")))
        assert.equal("1,2,3,", body_of(client:get("/b.lp")))
      end)
    end)
  end)
end)

--- The applications of a folder's files a.txt and b.txt, each a file of that name in
-- a folder of its own, loaded at once or one after the other: what they answer.
local function load_both(folder, name, in_turn)
  local threads, answers = {}, {}
  for i, part in ipairs { "a", "b" } do
    local file = ("%s/%s/%s.lua"):format(folder, part, name)
    os.execute(("mkdir -p %s/%s && cp %s/%s.txt %s"):format(folder, part, folder, part, file))
    threads[i] = green.spawn(serve, file, {}, function(client)
      answers[i] = body_of(client:get("/"))
    end)
    if in_turn then threads[i]:wait() end
  end
  for i = 1, 2 do threads[i]:wait() end
  return answers
end

describe("With wsapi = true", function()
  real_it("a file may be a module, finds what is beside it and knows its folder", function()
    with_files({
      ["spec_app.lua"] = "module(..., package.seeall)\nlocal part = require 'spec_part'\n"
        .. "function run(env) return 200, {}, part .. _NAME .. env.APP_PATH end",
      ["spec_part.lua"] = "return 'part of '",
    }, function(folder)
      serve(folder .. "/spec_app.lua", {}, function(client)
        assert.equal("part of spec_app" .. folder, body_of(client:get("/")))
      end)
    end)
  end)

  real_it("a file with the name of a module does not take its place", function()
    local before = package.loaded.string
    with_files({ ["string.lua"] = "return function() return 200, {}, 'mine' end" }, function(folder)
      serve(folder .. "/string.lua", {}, function(client)
        assert.equal("mine", body_of(client:get("/")))
      end)
    end)
    assert.equal(before, package.loaded.string)
  end)

  real_it("files of one name may be loaded at once, and stay apart", function()
    local forms = {
      spec_plain = "require 'green'.sleep(0.001)\nreturn function() return 200, {}, '%s' end",
      spec_module = "module(..., package.seeall)\nfunction name() return '%s' end\n"
        .. "require 'green'.sleep(0.001)\nfunction run() return 200, {}, name() end",
    }
    for name, form in pairs(forms) do
      with_files({ ["a.txt"] = form:format("a"), ["b.txt"] = form:format("b") }, function(folder)
        assert.same({ "a", "b" }, load_both(folder, name))
        assert.is_nil(package.preload[name])
        assert.same({ "a", "b" }, load_both(folder, name, true))
      end)
      package.loaded[name], _G[name] = nil, nil
    end
  end)

  real_it("a file may say itself what it is to require", function()
    local path = "spec_said.lua"
    with_files({ [path] = "package.loaded[...] = function() return 200, {}, 'said' end" },
      function(folder)
        serve(folder .. "/" .. path, {}, function(client)
          assert.equal("said", body_of(client:get("/")))
        end)
      end)
    package.loaded.spec_said = nil
  end)

  real_it("a file that is a module leaves another one of its name alone", function()
    local other = { _NAME = "spec_other" }
    other._M = other
    package.loaded.spec_other = other
    rawset(_G, "spec_other", other)
    with_files({ ["spec_other.lua"] = "module(...)\nfunction run() return 200, {}, _NAME end" },
      function(folder)
        serve(folder .. "/spec_other.lua", {}, function(client)
          assert.equal("spec_other", body_of(client:get("/")))
        end)
      end)
    assert.is_nil(other.run)
    assert.equal(other, package.loaded.spec_other)
    assert.equal(other, rawget(_G, "spec_other"))
    package.loaded.spec_other = nil
    rawset(_G, "spec_other", nil)
  end)

  real_it("a file's errors come from where it is served", function()
    with_files({ ["bad.lua"] = "error('oh no')", ["none.lua"] = "" }, function(folder)
      local ok, err = pcall(serve, folder .. "/bad.lua", {}, error)
      assert.is_false(ok)
      assert.truthy(err:find("bad.lua:1: oh no", 1, true))
      ok, err = pcall(serve, folder .. "/none.lua", {}, error)
      assert.is_false(ok)
      assert.truthy(err:find("app must be a function", 1, true))
      assert.is_nil(package.loaded.bad)
    end)
    package.loaded.none = nil
  end)

  real_it("an application has one parameter", function()
    local function app(env, options)
      return 200, {}, env.PATH_INFO .. tostring(options)
    end
    serve(app, {}, function(client)
      assert.equal("/nil", body_of(client:get("/")))
    end)
  end)

  real_it("input.length is a number", function()
    local function app(env)
      return 200, {}, ("%d %s"):format(env.input.length, tostring(env.input:read(env.input.length)))
    end
    serve(app, {}, function(client)
      assert.equal("0 nil", body_of(client:get("/")))
      assert.equal("3 abc", body_of(client:get("/", nil, "abc")))
    end)
  end)

  real_it("PATH_INFO has no dot segments, which files are opened by", function()
    local function app(env)
      return 200, {}, env.PATH_INFO .. " " .. env.RAW_PATH_INFO
    end
    serve(app, {}, function(client)
      for sent, seen in pairs {
        ["/../../a"] = "/a", ["/a/./b"] = "/a/b", ["/a/%2E%2e/b"] = "/b", ["/a/.."] = "/",
        ["/a/b/."] = "/a/b/", ["/..%2f..%2fa"] = "/a", ["/.a/..b/c."] = "/.a/..b/c.",
        ["/..."] = "/...", ["//a/../b"] = "//b", ["/."] = "/", ["/.."] = "/",
      } do
        assert.equal(seen .. " " .. sent, body_of(client:get(sent)))
      end
    end)
    kit.with(app, function(client)
      assert.equal("/a/../b /a/../b", body_of(client:get("/a/../b")))
    end)
  end)

  real_it("a redirect need not have the length that it had before", function()
    local function app(env)
      local pieces = env.PATH_INFO == "/text" and { "abc", "de" } or {}
      return 302, { Location = "/x", ["Content-Length"] = 5 }, coroutine.wrap(function()
        for _, piece in ipairs(pieces) do
          coroutine.yield(piece)
        end
      end)
    end
    serve(app, {}, function(client, _, log)
      for path, body in pairs { ["/"] = "", ["/text"] = "abcde" } do
        local status, headers, got = client:get(path)
        assert.same({ 302, "/x", tostring(#body), body },
          { status, headers.location, headers["content-length"], got })
      end
      assert.is_nil(logged(log):find("Content-Length", 1, true))
    end)
  end)

  real_it("a redirect's headers stay the application's", function()
    local headers = { Location = "/x", ["Content-Length"] = 5 }
    serve(function() return 302, headers, function() return nil end end, {}, function(client)
      assert.equal("0", (select(2, client:get("/")))["content-length"])
    end)
    assert.same({ Location = "/x", ["Content-Length"] = 5 }, headers)
  end)

  real_it("chunked bodies that are bad or too long are refused", function()
    local called = 0
    local function app()
      called = called + 1
      return 200, {}, "ok"
    end
    local head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    serve(app, { max_body = 3, body_timeout = 0.1 }, function(client)
      assert.equal(413, (kit.parse(client:raw(head .. "4\r\nabcd\r\n0\r\n\r\n"))))
      assert.equal(400, (kit.parse(client:raw(head .. "x\r\n"))))
      assert.equal(408, (kit.parse(client:raw(head .. "1\r\n"))))
    end)
    assert.equal(0, called)
  end)
end)

describe("Without wsapi = true", function()
  it_with("wsapi", "wsapi.request stumbles over keys that are missing", function()
    local app = function(env)
      require("wsapi.request").new(env)
      return 200, {}, "ok"
    end
    kit.with(app, function(client, _, log)
      assert.equal(500, (client:get("/")))
      assert.equal(200, (client:get("/", { FORM }, "a=b"))) -- it has a CONTENT_TYPE
      assert.truthy(logged(log):find("wsapi/request.lua", 1, true))
    end)
  end)
end)
