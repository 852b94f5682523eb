--- Functions with a place before their arguments, made into those of the module, which have
-- none, and into methods of a root, which is one. Private to green.fs.
--
-- Each takes as many arguments as the function behind it.
-- @module green.fs.place

local nparams = function(fn)
  return debug.getinfo(fn, "u").nparams
end

local without, with = {}, {}

without[2] = function(fn)
  return function(a)
    return fn(nil, a)
  end
end

without[3] = function(fn)
  return function(a, b)
    return fn(nil, a, b)
  end
end

without[4] = function(fn)
  return function(a, b, c)
    return fn(nil, a, b, c)
  end
end

with[2] = function(fn, place_of, name)
  return function(self, a)
    return fn(place_of(self, name), a)
  end
end

with[3] = function(fn, place_of, name)
  return function(self, a, b)
    return fn(place_of(self, name), a, b)
  end
end

with[4] = function(fn, place_of, name)
  return function(self, a, b, c)
    return fn(place_of(self, name), a, b, c)
  end
end

local M = {}

--- Of the program's own paths.
function M.none(fn)
  return without[nparams(fn)](fn)
end

--- A method, whose place is place_of(self, name).
function M.method(fn, place_of, name)
  return with[nparams(fn)](fn, place_of, name)
end

return M
