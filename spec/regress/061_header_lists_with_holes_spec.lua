-- A list of values for a header was sent up to its first hole: a cookie that stood behind
-- a nil vanished without a word, as did what stood in the list by a name.

local kit = dofile("spec/support/wsgi_kit.lua")
local _, it = require("green.testing").busted()

local function answer(values, body)
  local status, text, lines
  kit.with(function()
    return 200, { ["Set-Cookie"] = values }, body
  end, function(client, _, log)
    text = client:raw("GET / HTTP/1.0\r\n\r\n")
    status, lines = text:match("^HTTP/1.[01] (%d+)"), log
  end)
  return status, text, table.concat(lines, "\n")
end

describe("a list of a header's values", function()
  for name, values in pairs {
    ["with a hole"] = { "a=1", nil, "b=2" },
    ["with a hole in front"] = { nil, "b=2" },
    ["with a name in it"] = { "a=1", b = "2" },
  } do
    it(name .. " is a mistake that is told", function()
      for _, body in ipairs { "hello", { "hello" } } do
        local status, text, lines = answer(values, body)
        assert.equals("500", status)
        assert.is_nil(text:find("Set-Cookie", 1, true))
        assert.truthy(lines:find("the value of header 'Set-Cookie' is a table that is no list",
          1, true), lines)
      end
    end)
  end

  it("is sent value by value, and may be empty", function()
    local _, text = answer({ "a=1", "b=2", 3 }, "hello")
    assert.truthy(text:find("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nSet-Cookie: 3\r\n", 1, true))
    local status
    status, text = answer({}, "hello")
    assert.equals("200", status)
    assert.is_nil(text:find("Set-Cookie", 1, true))
  end)
end)
