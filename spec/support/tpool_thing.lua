-- A module with all that an object may have, for specs of proxies.

local counter_mt = { __tostring = function(self) return "counter " .. self.value end }
counter_mt.__index = counter_mt

local made = setmetatable({}, { __mode = "k" })

function counter_mt:add(n)
  self.value = self.value + n
  return self.value
end

function counter_mt:me()
  return self
end

local M = { number = 42, no = false, list = { 1, { 2 } } }

function M.thread()
  return require("green.core").thread_id()
end

function M.new(value)
  local counter = setmetatable({ value = value }, counter_mt)
  made[counter] = true
  return counter
end

function M.alive()
  collectgarbage()
  local n = 0
  for _ in pairs(made) do
    n = n + 1
  end
  return n
end

function M.sum(a, b)
  return a.value + b.value
end

function M.letters(text)
  return function(s, i)
    i = i + 1
    if i <= #s then
      return i, s:sub(i, i)
    end
  end, text, 0
end

function M.adder(n)
  return function(m)
    n = n + m
    return n
  end
end

M.callable = setmetatable({}, { __call = function(_, n) return n + 10 end })

function M.fails()
  return nil, "no such thing", 2
end

function M.raises(what)
  error(type(what) == "string" and "raised: " .. what or what)
end

function M.table()
  return { x = 0 }
end

function M.sleep(seconds)
  local due = os.clock() + seconds
  while os.clock() < due do end -- cheap: it is CPU time
end

return M
