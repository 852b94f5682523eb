local utf8 = require "green.http.utf8"

local R = "\239\191\189"

--- What the Encoding Standard's decoder says, step by step as it is written there.
local function reference(text)
  local out, needed, seen, lower, upper, at = {}, 0, "", 0x80, 0xBF, 1
  while at <= #text do
    local b = text:byte(at)
    if needed == 0 then
      if b <= 0x7F then
        out[#out + 1] = string.char(b)
      elseif b >= 0xC2 and b <= 0xDF then
        needed, seen = 1, string.char(b)
      elseif b >= 0xE0 and b <= 0xEF then
        if b == 0xE0 then lower = 0xA0 end
        if b == 0xED then upper = 0x9F end
        needed, seen = 2, string.char(b)
      elseif b >= 0xF0 and b <= 0xF4 then
        if b == 0xF0 then lower = 0x90 end
        if b == 0xF4 then upper = 0x8F end
        needed, seen = 3, string.char(b)
      else
        out[#out + 1] = R
      end
      at = at + 1
    elseif b < lower or b > upper then
      needed, seen, lower, upper = 0, "", 0x80, 0xBF
      out[#out + 1] = R -- and the byte is looked at again
    else
      lower, upper = 0x80, 0xBF
      seen, needed, at = seen .. string.char(b), needed - 1, at + 1
      if needed == 0 then
        out[#out + 1], seen = seen, ""
      end
    end
  end
  if needed > 0 then
    out[#out + 1] = R
  end
  return table.concat(out)
end

describe("green.http.utf8", function()
  it("leaves what is UTF-8 as it is", function()
    for _, text in ipairs { "", "plain", "é", "grün €", "\240\159\152\128 x", R,
      "\244\143\191\191", "\237\159\191", "\238\128\128" } do
      assert.equal(text, utf8.scrub(text))
    end
  end)

  it("puts U+FFFD where it is not", function()
    assert.equal("a" .. R .. "b", utf8.scrub "a\255b")
    assert.equal(R, utf8.scrub "\226\130") -- cut short
    assert.equal(R .. "x", utf8.scrub "\226\130x")
    assert.equal(R .. R, utf8.scrub "\192\128") -- too long
    assert.equal(R .. R .. R, utf8.scrub "\237\160\128") -- a surrogate
    assert.equal(R:rep(4), utf8.scrub "\244\144\128\128") -- beyond the last
    assert.equal("é" .. R, utf8.scrub "é\128")
  end)

  it("is the Encoding Standard's decoder, for bytes at random", function()
    math.randomseed(7)
    local bytes = { 0x41, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE2, 0xED,
      0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF }
    for _ = 1, 50000 do
      local out = {}
      for i = 1, math.random(0, 8) do
        out[i] = string.char(bytes[math.random(#bytes)])
      end
      local text = table.concat(out)
      assert(utf8.scrub(text) == reference(text), (text:gsub(".", function(c)
        return ("%02x "):format(c:byte())
      end)))
    end
  end)
end)
