--- Why nothing was sent.
-- @module green.websocket.refusal

local core = require "green.core"
local errors = require "green.error"

local codes = core.codes

local why = {
  [codes.ECLOSED] = "the websocket has ended", -- whoever has ended it
  [codes.EILSEQ] = "no UTF-8: bytes are for send_binary",
}

--- A number of C's as an error.
-- @tparam number number
-- @tparam string op the function's name
return function(number, op)
  return errors.new(number, op, why[number])
end
