--- How arguments and results become one frame: JSON, or a codec that is given. Private to
-- green.zmq.rpc.
--
-- What is encoded is a list. nil has no place in the lists of most codecs: where the codec has a
-- `null`, that stands for it; else the list has a field `n`.
-- @module green.zmq.rpc.codec

local args = require "green.args"

-- Scripts may put their own in their places.
local error, floor, ipairs, next, pcall, require, select, tostring, type = error, math.floor,
  ipairs, next, pcall, require, select, tostring, type

local M = {}

local VALUES_MOST = 255 -- arguments or results of a call
local DEPTH_MOST = 100 -- tables in tables

--- cjson with settings of its own: a program may have changed the shared ones.
local function json(where)
  local ok, cjson = pcall(require, "cjson")
  if not ok then
    args.misuse("%s: JSON needs the library lua-cjson (Debian's package lua-cjson); or give "
      .. "another codec", where)
  end
  local own = cjson.new()
  own.encode_max_depth(DEPTH_MOST)
  own.decode_max_depth(DEPTH_MOST)
  own.encode_sparse_array(false, 2, 10)
  own.encode_keep_buffer(false)
  return { encode = own.encode, decode = own.decode, null = own.null, empty = "[]" }
end

--- The codec that an option names.
-- @tparam ?table codec `encode(value)`, `decode(text)`, and `null` if it has one; nil: JSON
function M.of(codec, where)
  if codec == nil then
    return json(where)
  elseif type(codec) ~= "table" then
    args.wrong(where, "codec", "a table with encode and decode", codec)
  end
  for _, name in ipairs { "encode", "decode" } do
    if codec[name] == nil then
      args.misuse("%s: codec must be a table with encode and decode, not %s without %s", where,
        args.shown(codec), name)
    end
  end
  args.callable(codec.encode, where, "codec.encode")
  args.callable(codec.decode, where, "codec.decode")
  return { encode = codec.encode, decode = codec.decode, null = codec.null }
end

local function list_of(codec, n, ...)
  if n > VALUES_MOST then
    error(n .. " values; a call has " .. VALUES_MOST .. " at most", 0)
  end
  if codec.null == nil then
    return { n = n, ... }
  end
  local list = { ... }
  for i = 1, n do
    if list[i] == nil then
      list[i] = codec.null
    end
  end
  return list
end

--- Values as a frame. Raises what the codec does.
function M.pack(codec, ...)
  local n = select("#", ...)
  if n == 0 and codec.empty then
    return codec.empty
  end
  local ok, text = pcall(codec.encode, list_of(codec, n, ...)) -- by pcall: without our line
  if not ok then
    error(text, 0)
  elseif type(text) ~= "string" then
    error("the codec's encode has not given a string, but " .. args.shown(text), 0)
  end
  return text
end

local function count_of(codec, list)
  local n = #list
  if codec.null == nil and list.n ~= nil then
    n = list.n
  end
  if type(n) ~= "number" or n < 0 or n > VALUES_MOST or floor(n) ~= n then
    error("it has a list of " .. args.shown(n) .. " values", 0)
  elseif codec.null ~= nil and n == 0 and next(list) ~= nil then
    error("it is no list", 0)
  end
  return n
end

local function read(codec, text)
  local list = codec.decode(text)
  if type(list) ~= "table" then
    error("it is no list, but " .. args.shown(list), 0)
  end
  local n, null = count_of(codec, list), codec.null
  if null ~= nil then
    for i = 1, n do
      if list[i] == null then
        list[i] = nil
      end
    end
  end
  return list, n
end

--- The values of a frame: a list that may have holes, and how many they are; or nil and why it
-- has none, as text.
function M.unpack(codec, text)
  local ok, list, n = pcall(read, codec, text)
  if not ok then
    return nil, tostring(list)
  end
  return list, n
end

return M
