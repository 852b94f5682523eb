-- What green.http says of wrong calls and of URLs that are none.

local http = require "green.http"

local function said(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

describe("what green.http says", function()
  it("of an option that other clients have, which stands elsewhere here", function()
    local places = {
      data = "body = \"...\" or form = { ... }",
      files = "multipart = { { name = , file = } }",
      verify = "tls = { verify = }",
      cert = "tls = { cert = }",
      ca = "tls = { ca = }",
      allow_redirects = "did you mean 'redirects'?",
      proxies = "proxy = { http = , https = }",
      query = "params = { ... }",
    }
    for name, place in pairs(places) do
      local text = said(http.get, "http://127.0.0.1:1/", { [name] = "x" })
      assert.is_truthy(text:find("get: unknown option '" .. name .. "'", 1, true), text)
      assert.is_truthy(text:find(place, 1, true), text)
    end
    assert.is_truthy(said(http.session, { json = {} }):find(
      "http.session: unknown option 'json'; a request has it, not a session", 1, true))
    assert.is_truthy(said(http.get, "http://127.0.0.1:1/", { base_url = "http://h/" }):find(
      "get: unknown option 'base_url'; a session has it: http.session { base_url = }", 1, true))
  end)

  it("of a call with a colon", function()
    assert.is_truthy(said(http.get, http, "http://127.0.0.1:1/"):find(
      "get: url must be a URL or the text of one, not a table; call it with a dot, http.get(...)",
      1, true))
  end)

  it("of a text that is no URL, without what may be a secret in it", function()
    local function why(url)
      local resp, err = http.get(url)
      assert.is_nil(resp)
      assert.equal("EINVAL", err.code)
      assert.equal("url", err.phase)
      return tostring(err)
    end
    for _, url in ipairs { "127.0.0.1:80/a", "example.org/a", "/a", "" } do
      assert.equal((url == "" and "GET" or "GET " .. url) .. ": it must begin with "
        .. "http:// or https://; one that is relative needs a session with a base_url (EINVAL)",
        why(url))
    end
    assert.equal("GET localhost:80/a: the scheme localhost is not http or https (EINVAL)",
      why "localhost:80/a")
    for _, url in ipairs { "joe:secret@h/", "h/?key=secret", "http://joe:secret@h h/",
      "http://h h/?key=secret", "http://h h/#secret" } do
      assert.is_nil(why(url):find("secret", 1, true))
    end
    assert.equal("GET http://h/a b: blanks and control bytes must be written as %20 "
      .. '(at byte 11, behind "http://h/a") (EINVAL)', why "http://h/a b")
  end)

  it("of parts that are no list, of a proxy's option, of a token", function()
    assert.is_truthy(said(http.post, "http://127.0.0.1:1/", { multipart = { title = "x" } }):find(
      "post: multipart: unknown option 'title'; parts stand in a list, each as { name, value }", 1,
      true))
    assert.is_truthy(said(http.get, "http://127.0.0.1:1/", { proxy = { ssl = "x" } }):find(
      "get: proxy: unknown option 'ssl'", 1, true))
    assert.is_truthy(said(http.auth.bearer):find("token must be a string, not nil", 1, true))
    assert.is_nil(said(http.auth.bearer, 12345):find("12345", 1, true))
  end)

  it("of a file that was closed", function()
    local file = assert(io.tmpfile())
    file:close()
    assert.is_truthy(said(http.post, "http://127.0.0.1:1/", { body = file }):find(
      "post: body must be an open file, not a userdata: it was closed", 1, true))
  end)

  it("of wrong options of events, in the line that gives them", function()
    assert.is_truthy(said(http.events, "http://127.0.0.1:1/", { retrys = 1 }):find(
      "events: unknown option 'retrys'; did you mean 'retry'?", 1, true))
    assert.is_truthy(said(http.events):find("events: url must be a URL or the text of one, not nil",
      1, true))
  end)

  it("of a base that is none", function()
    assert.is_truthy(said(http.session, { base_url = "/v1" }):find(
      "http.session: base_url is no URL: it must begin with http:// or https://$"))
  end)

  it("of a session that is closed, without a name that nobody knows", function()
    local session = http.session()
    session:close()
    local _, err = session:get("http://127.0.0.1:1/")
    assert.equal("GET http://127.0.0.1:1/: waiting for a connection: the session was closed "
      .. "(ECLOSED)", tostring(err))
  end)
end)
