-- UTF-8 as RFC 3629 has it, for specs: which bytes are one, and where one stops being it. Written
-- from the RFC's table, apart from the library's own.

local M = {}

local byte, char, floor = string.byte, string.char, math.floor

-- RFC 3629's table: the first byte, and what the second may be.
local function second_of(c)
  if c == 0xE0 then return 0xA0, 0xBF
  elseif c == 0xED then return 0x80, 0x9F
  elseif c == 0xF0 then return 0x90, 0xBF
  elseif c == 0xF4 then return 0x80, 0x8F end
  return 0x80, 0xBF
end

local function more_of(c)
  return c < 0x80 and 0 or c >= 0xC2 and c < 0xE0 and 1 or c >= 0xE0 and c < 0xF0 and 2
    or c >= 0xF0 and c < 0xF5 and 3 or nil
end

--- Where a text is no UTF-8: the place of the first byte that none could have there; one behind
-- its end when it only breaks off there; nil when it is right.
function M.fault(text)
  if not text:find "[\128-\255]" then
    return nil
  end
  local at, n = 1, #text
  while at <= n do
    local first = byte(text, at)
    local more = more_of(first)
    if not more then
      return at
    end
    local low, high = second_of(first)
    for i = at + 1, at + more do
      local c = byte(text, i)
      if not c or c < low or c > high then
        return i
      end
      low, high = 0x80, 0xBF
    end
    at = at + more + 1
  end
end

--- A code point's bytes, of surrogates and of what lies beyond the last one too; `width` makes
-- them more than are needed.
function M.char(code, width)
  width = width or code < 0x80 and 1 or code < 0x800 and 2 or code < 0x10000 and 3
    or code < 0x200000 and 4 or code < 0x4000000 and 5 or 6
  if width == 1 then
    return char(code)
  end
  local out = {}
  for i = width, 2, -1 do
    out[i] = char(0x80 + code % 64)
    code = floor(code / 64)
  end
  out[1] = char(256 - 2 ^ (8 - width) + code)
  return table.concat(out)
end

return M
