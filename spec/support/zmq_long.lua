-- Texts that say what they should be: for messages that are sent from where Lua has them.

local M = {}

--- A text that nobody else has: its beginning says what follows.
function M.text_of(i, length)
  return ("%08d"):format(i):rep(math.floor(length / 8)) .. ("y"):rep(length % 8)
end

function M.is_whole(i, text)
  return text == M.text_of(i, #text)
end

--- One in 20 times a text that is not copied when it is sent; else a short one.
function M.some_text(i)
  return M.text_of(i, math.random(20) == 1 and math.random(40000, 100000) or math.random(0, 99))
end

return M
