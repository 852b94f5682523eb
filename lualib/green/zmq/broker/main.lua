--- `greenlua -m zmq.broker`: the broker of publish and subscribe from the command line.
-- @module green.zmq.broker.main

local broker = require "green.zmq.broker"
local event = require "green.event"
local signal = require "green.signal"
local thread = require "green.thread"
local typed = require "green.args.typed"
local zmq = require "green.zmq"

-- The command may come behind statements of the user's.
local io, print, tostring = io, print, tostring
local format = string.format

local M = {}

local own = { curve = "a file", keys = "a folder" } -- options that are not the broker's

local USAGE = [[
usage: greenlua -m zmq.broker [options]
  --ask ENDPOINT          where hubs ask (tcp://127.0.0.1:5570)
  --pub ENDPOINT          the feed, for SUB sockets (tcp://127.0.0.1:5571)
  --sub ENDPOINT          where PUB sockets connect (tcp://127.0.0.1:5572)
  --history N             messages that are kept of a topic, at most (1000)
  --history-seconds S     and not longer than that
  --last                  who subscribes is sent the last message of its topic
  --max-topics N          topics (100000)
  --max-topic BYTES       of a topic's name (512)
  --max-message BYTES     of a message (1048576)
  --max-bytes BYTES       of all history (268435456)
  --max-members N         entries of who is there (100000)
  --max-info BYTES        what is told of each (1024)
  --queue N               messages that wait for a subscriber (10000)
  --curve FILE            CURVE, with the secret certificate in that file
  --keys FOLDER           with --curve: certificates of those who may come; else all may
Endpoints are tcp://ADDRESS:PORT (* for a free port) or ipc://PATH.
]]

local function complain(text)
  io.stderr:write("greenlua -m zmq.broker: ", text, "\n")
  return 2
end

--- The name of an option of green.zmq.broker; nil: there is none.
local function name_of(word)
  local name = word:match "^%-%-([%l-]+)$"
  name = name and name:gsub("-", "_")
  return name ~= "options" and (broker.defaults[name] ~= nil or own[name]) and name or nil
end

local MOST, LONGEST = 2 ^ 53, 31536000 -- numbers, seconds

--- What stands behind an option, as what its name wants; nil, text.
local function operand(name, words, i)
  local text, least = words[i], broker.counts[name]
  local is_text = own[name] or type(broker.defaults[name]) == "string"
  if not text then
    return nil, format("%s needs %s behind it", words[i - 1], is_text and (own[name]
      or "an endpoint") or "a number")
  elseif is_text then
    return text
  end
  return typed.read(least and typed.new("whole number", least, MOST, { is_whole = true })
    or typed.new("number of seconds", 0.001, LONGEST), words[i - 1] .. " ", text)
end

--- Options of the words; nil, text.
local function parse(words)
  local opts, i = {}, 1
  while words[i] do
    local name = name_of(words[i])
    if not name then
      return nil, "no such option: " .. words[i]
    elseif broker.defaults[name] == false then
      opts[name] = true
    else
      i = i + 1
      local value, why = operand(name, words, i)
      if value == nil then
        return nil, why
      end
      opts[name] = value
    end
    i = i + 1
  end
  if opts.keys and not opts.curve then
    return nil, "--keys needs --curve"
  end
  return opts
end

--- Where a certificate is given, only peers with keys come in. true; or nil, err. Parks.
local function secure(opts)
  local path, folder = opts.curve, opts.keys
  opts.curve, opts.keys = nil, nil
  if not path then
    return true
  end
  local public, secret = zmq.load_certificate(path)
  if not public then
    return nil, secret
  elseif not secret then
    return nil, path .. ": no secret key in it"
  end
  opts.options = { curve_server = true, curve_secretkey = secret }
  local auth, err = zmq.auth()
  if not auth then
    return nil, err
  end
  return auth:configure_curve("*", folder or zmq.CURVE_ALLOW_ANY)
end

--- An event that a signal sends, which says that it is enough, and a function that catches
-- signals no more.
local function on_end()
  local ended, handlers = event.Event(), {}
  for i, name in ipairs { "TERM", "INT" } do
    handlers[i] = signal.handler(name, function()
      if not ended:ready() then
        ended:send(true)
      end
    end)
  end
  return ended, function()
    for i = 1, #handlers do
      handlers[i]:cancel()
    end
  end
end

--- Without its sockets there is nothing to wait for: what failed has been reported.
local function watch_over(made, ended)
  made.over:wait()
  if not ended:ready() then
    ended:send(false)
  end
end

--- @param ... the words behind the module's name
-- @treturn number the exit status: 0; 1: it cannot bind, has no key, or its sockets have failed;
-- 2: the words are wrong
function M.main(...)
  if ... == "-h" or ... == "--help" then
    print((USAGE:gsub("\n$", "")))
    return 0
  end
  local opts, why = parse { ... }
  if not opts then
    return complain(why)
  end
  local is_secured, fault = secure(opts)
  if not is_secured then
    io.stderr:write("greenlua -m zmq.broker: ", tostring(fault), "\n")
    return 1
  end
  local ok, made, err = pcall(broker.start, opts)
  if not ok then
    return complain(tostring(made))
  elseif not made then
    io.stderr:write("greenlua -m zmq.broker: ", tostring(err), "\n")
    return 1
  end
  local ended, forget = on_end()
  print(format("zmq.broker: ask %s pub %s sub %s", made.ask, made.pub, made.sub))
  io.stdout:flush()
  local watch = thread.spawn(watch_over, made, ended)
  local is_told = ended:wait()
  forget()
  watch:kill_soon()
  made:close()
  return is_told and 0 or 1
end

return M
