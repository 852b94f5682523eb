--- What C has made for Lua, in a box that is empty when that is gone.
--
-- Finalizers may use an object whose own finalizer has run already, at the end of a state:
-- a bare pointer would lead nowhere then.
-- @module green.tls.box

local ffi = require "ffi"

--- A function that puts pointers of a type into boxes, and one that frees what is in a
-- box: now, or when nobody has the box any more. The pointer is `box.p`, nil when freed.
local function kind(ctype, free_pointer)
  local box_t = ffi.typeof("struct { " .. ctype .. "p; }")
  local function free(box)
    local p = box.p
    box.p = nil
    free_pointer(p)
  end
  return function(p)
    return ffi.gc(box_t(p), free)
  end, free
end

return { kind = kind }
