-- Specs that may take longer than green.testing's: with browsers, or thousands of clients.

local green = require "green"
local testing = require "green.testing"

local M = {}

local BODY = 400 -- seconds; only a failing spec waits so long

--- Like busted's `it`: nothing may be left behind by the body. Call it in a spec file.
function M.busted()
  local it = getfenv(2).it
  return function(title, fn)
    return it(title, function()
      return green.spawn(testing.assert_no_leaks, fn):wait()
    end)
  end
end

--- pcall(body, ...), for not too long: what cleans up behind it is not cut off. Parks.
function M.try(body, ...)
  local ok, none, err = pcall(green.timeout, BODY, body, ...)
  if ok and err then
    return false, err
  end
  return ok, none
end

return M
