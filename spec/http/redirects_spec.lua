-- What Location may be: what servers write there, and browsers follow.

local http = require "green.http"
local testing = require "green.testing"

local kit = dofile("spec/support/http_client.lua")
local it, it_real = testing.busted()
local it_serves = kit.its(it_real)

--- What is asked for behind a redirect from http://a.test/d/x?q with these fields, and how.
local function follow(locations, scheme)
  local fields = {}
  for i, location in ipairs(type(locations) == "table" and locations or { locations }) do
    fields[i] = { "Location", location }
  end
  local asked, is_first = {}, true
  local session = http.session { app = function(env)
    asked[#asked + 1] = env["wsgi.url_scheme"] .. "://" .. env.HTTP_HOST .. env.REQUEST_URI
      .. (env.HTTP_COOKIE and " " .. env.HTTP_COOKIE or "")
    if not is_first then
      return 200, nil, "there"
    end
    is_first = false
    return 302, fields
  end }
  local resp, err = session:get((scheme or "http") .. "://a.test/d/x?q", {
    cookies = { c = "1" } })
  session:close()
  return resp and asked[2], err
end

describe("Location", function()
  it("may have bytes that no URL has: they are coded, as browsers do it", function()
    for location, url in pairs {
      ["/a b"] = "http://a.test/a%20b c=1",
      ["/bücher?q=ä ö#x"] = "http://a.test/b%C3%BCcher?q=%C3%A4%20%C3%B6 c=1",
      ["/\252"] = "http://a.test/%FC c=1",
      ["y\"<>`{}|z"] = "http://a.test/d/y%22%3C%3E%60%7B%7D%7Cz c=1",
      ["/100%"] = "http://a.test/100%25 c=1",
      ["/%41%2f"] = "http://a.test/%41%2f c=1",
      ["?x=[1]"] = "http://a.test/d/x?x=%5B1%5D c=1",
      ["/a\tb"] = "http://a.test/ab c=1",
      [ [[\b\c]] ] = "http://a.test/b/c c=1",
      ["http:y"] = "http://a.test/d/y c=1",
      ["../../y"] = "http://a.test/y c=1",
    } do
      local asked, err = follow(location)
      assert.equal(url, asked, location .. tostring(err))
    end
  end)

  it("to another host is one, however it is written: nothing secret goes there", function()
    for _, location in ipairs { "//b.test/x y", [[\\b.test/x y]], [[/\b.test\x y]],
      "http:\\\\b.test/x y", "http:/\\/b.test/x y", "https:b.test/x y" } do
      assert.matches("^https?://b%.test/x%%20y$", (follow(location)))
    end
  end)

  it("is refused where it is none, or there are two of them", function()
    for _, location in ipairs { "http://a b/", "http://", "ftp://a/x y", "javascript:alert(1)",
      "//[", "http://0x7f.1/", "http://b:99999/", { "/a", "/b" } } do
      local asked, err = follow(location)
      assert.is_nil(asked)
      assert.equal("EREDIRECT", err.code)
    end
    assert.equal("http://a.test/a c=1", (follow { "/a", "/a" }))
  end)

  it("does not lead from https to http, unless asked", function()
    for _, location in ipairs { "http://b.test/x y", [[http:\\b.test/]] } do
      assert.equal("EREDIRECT", select(2, follow(location, "https")).code)
    end
  end)

  it_serves("is no place for control bytes", function(serve, session)
    local location
    local server = serve(function(conn)
      kit.read_head(conn)
      conn:write("HTTP/1.1 302 F\r\nLocation: ", location, "\r\nContent-Length: 0\r\n\r\n")
    end)
    for _, byte in ipairs { "\0", "\r", "\n", "\1", "\127" } do
      location = "/a" .. byte .. "b"
      local resp, err = session:get(server.url)
      assert.is_nil(resp)
      assert.is_true(err.code == "EPROTO" or err.code == "EREDIRECT", err.code)
    end
    assert.equal(5, server.connections)
  end)

  it_serves("is asked about as any other place: allow", function(serve)
    local server = serve(kit.answers "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    local first = serve(kit.answers(("HTTP/1.1 302 F\r\nLocation: \\\\127.0.0.1:%d/a b\r\n"
      .. "Content-Length: 0\r\n\r\n"):format(server.port)))
    local own = http.session { allow = function(address)
      return address.port == first.port
    end }
    local resp, err = own:get(first.url)
    own:close()
    assert.is_nil(resp)
    assert.equal("EACCES", err.code)
    assert.equal(0, server.connections)
  end)
end)
