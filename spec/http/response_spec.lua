-- What a response shows of itself: its fields, and those of the answer's head.

local http = require "green.http"
local testing = require "green.testing"

local it = testing.busted()

local function get(headers)
  local session = http.session { app = function() return 200, headers, "text" end }
  local resp = session:get "http://a.test/"
  session:close()
  return resp
end

describe("the headers of a response", function()
  it("are what pairs goes through, by name in lower case", function()
    local seen = {}
    for name, value in pairs(get({ { "X-A", "1" }, { "Set-Cookie", "a=1" }, { "X-a", "2" },
      { "Set-Cookie", "b=2" }, { "Get", "x" } }).headers) do
      seen[name] = value
    end
    assert.same({ ["x-a"] = "1, 2", ["set-cookie"] = "a=1", ["content-length"] = "4" }, seen)
  end)

  it("come in their order from each", function()
    local names = {}
    for name, value in get({ { "B", "1" }, { "A", "2" }, { "b", "3" } }).headers:each() do
      names[#names + 1] = name .. "=" .. value
    end
    assert.equal("B=1 A=2 b=3 Content-Length=4", table.concat(names, " "))
  end)

  it("do not hide a method, whatever the server sends", function()
    local headers = get({ { "Get", "1" }, { "All", "2" }, { "each", "3" }, { "_x", "4" } }).headers
    assert.equal("1", headers:get "get")
    assert.same({ "2" }, headers:all "all")
    assert.equal("3", headers:get "Each")
    assert.equal("function", type(headers.each))
    assert.equal("4", headers._x)
    assert.equal("green.http.headers{5 fields}", tostring(headers))
  end)

  it("are nil where there are none", function()
    local headers = get().headers
    assert.is_nil(headers["x-a"])
    assert.is_nil(headers.x_a)
    assert.is_nil(headers[1])
    assert.is_nil(headers._names)
    assert.same({}, headers:all "x-a")
  end)
end)

describe("a response", function()
  local MEANT = { status_code = "resp.status", statusText = "resp.reason", content = "resp:text()",
    body_text = "resp:text()", body = "resp:text()", header = "resp.headers", txet = "resp:text()",
    stauts = "resp.status", cookeis = "resp.cookies", histroy = "resp.history",
    raise_for_status = "resp:check()", iter_lines = "resp:lines()", jsno = "resp:json()" }

  it("says what a field is called that it does not have", function()
    local resp = get()
    for name, meant in pairs(MEANT) do
      local ok, err = pcall(function() return resp[name] end)
      assert.is_false(ok, name)
      assert.equal(("response: there is no field '%s'; did you mean %s?"):format(name, meant),
        (err:gsub("^%S+:%d+: ", "")))
      assert.matches("^spec/http/response_spec.lua:%d+: ", err)
    end
  end)

  it("has nil where nobody can tell what is meant, and takes fields of one's own", function()
    local resp = get()
    for _, name in ipairs { "getfd", "pollfd", "run", "code", "is_timeout", "mine", "_private", 1,
      "trailers" } do
      assert.is_nil(resp[name])
    end
    resp.content = "mine"
    assert.equal("mine", resp.content)
  end)
end)
