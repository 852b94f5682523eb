--- Values of options: what scripts write for them, and what libzmq is given.
-- @module green.zmq.option_value

local args = require "green.args"
local known_options = require "green.args.options"
local sockets = require "green.zmq.options"

local ceil, floor, huge = math.ceil, math.floor, math.huge
local sort, format = table.sort, string.format
local pairs, type, tonumber, tostring = pairs, type, tonumber, tostring

local INT_MOST = 0x7fffffff
local ROUNDING = 1e-4 -- 1.1 * 1000 is more than 1100
local Z85 = "^[0-9a-zA-Z%.%-:%+=%^!/%*%?&<>%(%)%[%]{}@%%%$#]+$"

local M = {}

--- What stands for an option of that name; an unknown one raises, and names the nearest.
-- @tparam string name
-- @tparam string where the function's name, for the message
-- @tparam[opt] table known green.zmq.context_options, for a context's
-- @treturn table
function M.find(name, where, known)
  known = known or sockets
  local option = type(name) == "string" and known[name]
  return option or known_options.unknown("ZeroMQ option", name, known, where)
end

-- -- In words -----------------------------------------------------------------

local function range(least, most)
  return most and format("%g to %g", least, most) or format("of at least %g", least)
end

local words = {}

function words.bool()
  return "true or false"
end

function words.int(option)
  if option.names then
    return "a name"
  end
  return "a whole number " .. (option.max and "from " or "") .. range(option.min or 0, option.max)
end

words.uint64 = words.int

function words.int64()
  return "a whole number of at least 0, or math.huge for none"
end

function words.seconds_ms(option)
  local most = option.max and format(", at most %.14g", option.max / 1000) or ""
  return "a number of seconds, at least 0" .. most .. (option.huge and "; math.huge: for ever"
    or "")
end

function words.text(option)
  return "a string" .. (option.max and format(" of %s bytes", range(option.min or 0, option.max))
    or "")
end

words.bytes = words.text

function words.key()
  return "a key: 40 letters of Z85, or 32 bytes"
end

--- What a value of the option must be, for messages and the page of them.
-- @tparam table option
-- @treturn string
function M.words(option)
  return words[option.kind](option)
end

-- -- From scripts to libzmq ---------------------------------------------------

local fits = {}

function fits.bool(_, value)
  return type(value) == "boolean" and (value and 1 or 0)
end

local function whole(value, least, most)
  return type(value) == "number" and value >= least and value <= most and floor(value) == value
    and value
end

function fits.int(option, value)
  return whole(value, option.min or 0, option.max or INT_MOST)
end

function fits.uint64(_, value)
  return whole(value, 0, 2 ^ 53)
end

function fits.int64(_, value)
  return whole(value == huge and -1 or value, -1, 2 ^ 53)
end

--- Up to the next millisecond: a short time is not none. -1 is what ZeroMQ's own pages write for
-- ever.
function fits.seconds_ms(option, value)
  if value == huge or value == -1 then
    return option.huge and -1
  end
  return type(value) == "number" and value >= 0 and value * 1000 <= (option.max or INT_MOST)
    and ceil(value * 1000 - ROUNDING)
end

function fits.bytes(option, value)
  return type(value) == "string" and #value >= (option.min or 0) and #value <= (option.max
    or INT_MOST)
    and value
end

function fits.text(option, value)
  return fits.bytes(option, value) and not value:find("%z") and value
end

function fits.key(_, value)
  return type(value) == "string" and (#value == 32 or #value == 40 and value:find(Z85)) and value
end

local function wrong(name, option, value, where)
  if option.secret and type(value) == "string" then
    args.misuse("%s: %s must be %s, not a string of %d bytes", where, name, M.words(option), #value)
  end
  args.wrong(where, name, M.words(option), value)
end

--- What libzmq is given for a value of a script's: a number, or a text. A wrong value raises, as an
-- option does that is only read.
-- @tparam string name
-- @param value
-- @tparam string where the function's name, for the message
-- @tparam[opt] table known green.zmq.context_options, for a context's
-- @return the option, the number or text
function M.encode(name, value, where, known)
  local option = M.find(name, where, known)
  if not option.write then
    args.misuse("%s: ZeroMQ's option '%s' can be read only", where, name)
  end
  local raw = fits[option.kind](option, value)
  if raw == nil or raw == false then
    wrong(name, option, value, where)
  end
  return option, raw
end

-- -- From libzmq to scripts ---------------------------------------------------

local shows = {}

function shows.bool(_, raw)
  return raw ~= 0
end

function shows.int(option, raw)
  return option.names and option.names[raw] or raw
end

function shows.int64(_, raw)
  raw = tonumber(raw)
  return raw < 0 and huge or raw
end

function shows.uint64(_, raw)
  return tonumber(raw)
end

--- Where -1 does not mean for ever it means that nobody said: nil.
function shows.seconds_ms(option, raw)
  if raw < 0 then
    return option.huge and huge or nil
  end
  return raw / 1000
end

--- libzmq gives texts with a NUL behind them.
function shows.text(_, raw)
  return raw:match("^%Z*")
end

function shows.bytes(_, raw)
  return raw
end

--- nil: no key was set.
function shows.key(_, raw)
  local key = raw:sub(1, 40)
  return key:find("[^0]") and key or nil
end

--- The option of that name, if it can be read: else this raises.
-- @tparam string name
-- @tparam string where
-- @tparam[opt] table known
-- @treturn table
function M.readable(name, where, known)
  local option = M.find(name, where, known)
  if not option.read then
    args.misuse("%s: ZeroMQ's option '%s' cannot be read", where, name)
  end
  return option
end

--- What a script gets for what libzmq gave: a key in Z85, a text with its NUL, a number.
-- @tparam table option
-- @tparam number|string raw
-- @return value
function M.decode(option, raw)
  return shows[option.kind](option, raw)
end

-- -- Several at once ----------------------------------------------------------

-- What others are read by: filters are addresses of a family, and an enforced domain must be there.
local first = { ipv6 = 1, zap_domain = 1 }

--- Names of a table of options, in the order in which they are to be set.
-- @tparam table opts
-- @treturn table
function M.ordered(opts)
  local names = {}
  for name in pairs(opts) do
    names[#names + 1] = name
  end
  sort(names, function(a, b)
    local rank_a, rank_b = first[a] or 2, first[b] or 2
    return rank_a < rank_b or rank_a == rank_b and tostring(a) < tostring(b)
  end)
  return names
end

return M
