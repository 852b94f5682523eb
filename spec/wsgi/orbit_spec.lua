-- Orbit's applications as Debian packages them (lua-orbit), unmodified, and ways to
-- serve an application that exists.

local green = require "green"
local testing = require "green.testing"

local wsapi = dofile("spec/support/wsapi_kit.lua")
local _, real_it = testing.busted()

local it_with = wsapi.its(real_it, pending)
local with_files, serve = wsapi.with_files, wsapi.serve
local body_of, compare = wsapi.body_of, wsapi.compare
local write, with_program = wsapi.write, wsapi.with_program
local DOC, FORM = wsapi.DOC, wsapi.FORM

-- Waits wherever an Orbit application can.
local WAITS = [==[
local orbit, green = require "orbit", require "green"

module("waits", package.seeall, orbit.new)

function index(web, name)
  green.sleep(0.01)
  return render(web, name)
end

function wsapi_style(env)
  return 200, {}, coroutine.wrap(function()
    for i = 1, 3 do
      green.sleep(0.01)
      coroutine.yield(env.PATH_INFO .. i)
    end
  end)
end

waits:dispatch_get(index, "/wait/(%a+)")
waits:dispatch_wsapi(wsapi_style, "/raw")
waits:dispatch_static("/static/.+")

function render(web, name)
  return p{ web:page_inline("$lua{[[ require'green'.sleep(0.01) ]]}Dear $name,", { name = name }),
    b"bye", web:link("/x", { a = "b c" }) }
end

orbit.htmlify(waits, "render")
]==]

describe("Orbit", function()
  for _, name in ipairs { "hello.lua", "hello.ws" } do
    it_with("orbit $wsapi.cgi $lua5.1 " .. DOC .. "/lua-orbit/hello/hello.lua", "says " .. name,
      function()
        local file = DOC .. "/lua-orbit/hello/" .. name
        compare(file, {
          { "GET", "/none" }, { "POST", "/", lines = { FORM }, body = "a=b" }, { "HEAD", "/" },
        })
        serve(file, {}, function(client)
          local text = '<p class="hello">Hello World!</p>'
          assert.truthy(body_of(client:get("/")):find(text, 1, true))
          assert.truthy(body_of(client:get("/say/joe?greeting=Hi+")):find(
            text .. '<p class="hello">Hi joe!</p>', 1, true))
        end)
      end)
  end

  it_with("orbit " .. DOC .. "/lua-orbit/songs/songs.ws", "lists songs", function()
    for _, name in ipairs { "songs.ws", "songs.lua" } do
      serve(DOC .. "/lua-orbit/songs/" .. name, {}, function(client)
        local status, _, body = client:get("/")
        assert.equal(200, status)
        assert.truthy(body:find("<tr><td>A Day in the Life</td></tr>", 1, true))
      end)
    end
  end)

  it_with("orbit", "waits in controllers, views and templates while others are served", function()
    with_files({ ["waits.lua"] = WAITS, secret = "not yours" }, function(folder)
      os.execute("mkdir " .. folder .. "/static")
      write(folder .. "/static/a.css", "b { }")
      serve(folder .. "/waits.lua", {}, function(client)
        local names = { "ann", "ben", "cid" }
        local threads = {}
        for i, name in ipairs(names) do
          threads[i] = green.spawn(client.get, client, "/wait/" .. name)
        end
        for i, name in ipairs(names) do
          assert.equal(("<p >Dear %s,<b>bye</b>/x?a=b+c</p>"):format(name),
            body_of(threads[i]:wait()))
        end
        assert.equal("/raw1/raw2/raw3", body_of(client:get("/raw")))
        local status, headers, body = client:get("/static/a.css")
        assert.same({ 200, "text/css", "b { }" }, { status, headers["content-type"], body })
        for _, path in ipairs { "../secret", "%2e%2e/secret", "x/../../secret" } do
          status, _, body = client:get("/static/" .. path)
          assert.equal(404, status)
          assert.is_nil(body:find("not yours", 1, true))
        end
      end)
    end)
  end)

  it_with("orbit rings", "fills .op pages, in its states and in ours", function()
    local common = require "wsapi.common"
    local shared = function(env)
      env.PATH_TRANSLATED = env.DOCUMENT_ROOT .. env.PATH_INFO
      return require("orbit.pages").run(env)
    end
    local isolated = common.make_isolated_launcher { modname = "orbit.pages" }
    with_files({
      ["page.op"] = '#!/usr/bin/env op.cgi\n$lua{[[ x = web.input.x or "none" ]]}<p>$x</p>'
        .. '$if{ x == "none" }[[nothing]]$include{ "part.op" }',
      ["part.op"] = "part of $(web.method)",
    }, function(folder)
      for _, app in ipairs { shared, isolated } do
        serve(app, { environ = { DOCUMENT_ROOT = folder } }, function(client)
          assert.equal("\n<p>7</p>part of get", body_of(client:get("/page.op?x=7")))
          assert.equal("\n<p>none</p>nothingpart of post",
            body_of(client:get("/page.op", { FORM }, "y=1")))
          assert.equal(404, (client:get("/none.op")))
        end)
      end
    end)
  end)
end)

-- The sample has two faults of its own, in all servers: `orbit.cache` is found only
-- where `orbit` is global, and its tables are not called as its schema calls them.
local BLOG_DB = [[
local db = require("luasql.sqlite3").sqlite3():connect("blog.db")
local schema = io.open("blog_schema.sql"):read("*a"):gsub("blog_", "")
for statement in schema:gmatch("[^;]+") do
  if statement:find("%a") then assert(db:execute(statement)) end
end
assert(db:execute("insert into post (title, body, published_at) "
  .. "values ('First', 'It is *ours*.', '2020-01-02 03:04:05')"))
db:close()
]]

describe("Orbit's blog", function()
  it_with("orbit luasql.sqlite3 $lua5.1 " .. DOC .. "/lua-orbit/blog/blog.ws",
    "keeps what is written", function()
      with_files({ ["db.lua"] = BLOG_DB }, function(folder)
        assert(os.execute(("cp %s/lua-orbit/blog/* %s"):format(DOC, folder)) == 0)
        assert.equal(0, os.execute(("cd %s && lua5.1 db.lua"):format(folder)))
        with_program(folder, { "-e", "orbit = require 'orbit'", "examples/wsapi.lua", "0",
          "blog.ws" }, function(get)
          for _ = 1, 2 do -- made, then from its cache
            local status, headers, body = get("/")
            assert.same({ 200, "text/html" }, { status, headers["content-type"] })
            assert.truthy(body:find("<p>It is <em>ours</em>.</p>", 1, true))
            assert.truthy(body:find("Comments (0)", 1, true))
          end
          local status, headers = get("/post/1/addcomment", { FORM },
            "author=Ann&email=&url=&comment=Mine+%2Atoo%2A%21")
          assert.same({ 302, "/post/1" }, { status, headers.location })
          local body = body_of(get("/post/1"))
          assert.truthy(body:find("<p>Mine <em>too</em>!</p>", 1, true))
          assert.truthy(body:find("Written by Ann", 1, true))
          assert.truthy(body_of(get("/archive/2020/01")):find("Comments (1)", 1, true))
          status, headers, body = get("/head.jpg")
          assert.same({ 200, "image/jpeg", "\255\216" },
            { status, headers["content-type"], body:sub(1, 2) })
          assert.equal(#body, tonumber(headers["content-length"]))
          assert.equal(404, (get("/none")))
        end)
      end)
    end)
end)

describe("An existing application is served", function()
  local APP = { ["app.lua"] = "module('app', package.seeall)\nlocal part = require 'part'\n"
      .. "function run(env) return 200, {}, part(env) end",
    ["part.lua"] = "return function(env) local s = env.PATH_INFO\n"
      .. "return function() local text = s s = nil return text end end",
  }

  it_with("lfs", "by one line", function()
    with_files(APP, function(folder)
      with_program(folder, { from = "err", "-e",
        "require('green.wsgi').serve('127.0.0.1:0', 'app', { wsapi = true, log = true })" },
        function(get)
          assert.equal("/x", body_of(get("/x")))
        end)
    end)
  end)

  it_with("lfs", "by the example, from anywhere", function()
    with_files(APP, function(folder)
      with_program("/", { "examples/wsapi.lua", "0", folder .. "/app.lua" }, function(get)
        assert.equal("/x", body_of(get("/x")))
      end)
    end)
  end)

  it_with("orbit rings", "by the example, with a folder of others", function()
    APP["page.op"] = "$(web.method)"
    with_files(APP, function(folder)
      with_program("/", { "examples/wsapi.lua", "0", folder .. "/" }, function(get)
        assert.equal("/x", body_of(get("/app.lua/x")))
        assert.equal("get", body_of(get("/page.op")))
        assert.equal(404, (get("/none.lua")))
      end)
    end)
  end)
end)

