--- `greenlua -m http URL`: a request from the command line, as a small curl.
-- @module green.http.main

local http = require "green.http"
local typed = require "green.args.typed"

-- The command may come behind statements of the user's.
local io, ipairs, print, tostring = io, ipairs, print, tostring
local format = string.format

local M = {}

local USAGE = [[
usage: greenlua -m http [options] URL
  -X METHOD     GET unless told, or POST where there is a body
  -H 'N: V'     a header; may come several times
  -d TEXT       the body, a form unless -H says another Content-Type; @FILE: of a file;
                @-: of standard input
  -j TEXT       the same, as application/json
  -F N=VALUE    a field of a form with files, N=@FILE: a file; may come several times
  -o FILE       write the body there
  -i            print the head of the answer, too
  -I            print the head alone: HEAD
  -L N          follow N redirects (10); 0: none
  -u USER:PASS  basic authentication
  -x PROXY      http://, https:// or socks5://
  -m SECONDS    for everything
  --ca FILE     the authorities that the server's certificate may be of
  -k            do not verify the server's certificate
  -f            an answer with an error is an error: status 22, no body
  -w            print how long it took, on standard error
]]

-- Options that are followed by a word, and those that are not.
local with_word = { X = true, H = true, d = true, j = true, F = true, o = true, L = true, u = true,
  x = true, m = true, ca = true }
local numbers = {
  m = typed.new("number of seconds", 0, 31536000),
  L = typed.new("whole number", 0, 10000, { is_whole = true }),
}
local lists = { H = true, F = true } -- that may come several times
local long = { ["--help"] = "h", ["--ca"] = "ca" }
local flags = { h = true, i = true, I = true, k = true, f = true, w = true }

local function complain(text)
  io.stderr:write("greenlua -m http: ", text, "\n")
  return 2
end

--- What stands behind an option; nil, text.
local function operand(letter, words, i)
  local text = words[i]
  if not text then
    return nil, words[i - 1] .. " needs a word behind it"
  elseif numbers[letter] then
    return typed.read(numbers[letter], words[i - 1] .. " ", text)
  end
  return text
end

--- Take the words apart. A table; or nil, text.
local function parse(words)
  local got, i = { H = {}, F = {} }, 1
  while i <= #words do
    local letter = long[words[i]] or words[i]:match("^%-(%a)$")
    if flags[letter] then
      got[letter] = true
    elseif with_word[letter] then
      i = i + 1
      local value, why = operand(letter, words, i)
      if value == nil then
        return nil, why
      elseif lists[letter] then
        got[letter][#got[letter] + 1] = value
      else
        got[letter] = value
      end
    elseif words[i]:find("^%-.") then
      return nil, "no such option: " .. words[i]
    elseif got.url then
      return nil, "more than one URL"
    else
      got.url = words[i]
    end
    i = i + 1
  end
  return got
end

local function body_of(got)
  local text = got.d or got.j
  local path = text and text:match("^@(.*)$")
  if not path then
    return text
  elseif path == "-" then
    return io.stdin:read("*a")
  end
  local file, why = io.open(path, "rb")
  if not file then
    return nil, why
  end
  return file
end

--- The parts of a form with files; nil: there is none; nil, text.
local function parts_of(got)
  local parts = {}
  for i, word in ipairs(got.F) do
    local name, value = word:match("^([^=]+)=(.*)$")
    if not name then
      return nil, "-F needs 'name=value' or 'name=@file'"
    end
    local path = value:match("^@(.+)$")
    parts[i] = { name = name, value = not path and value or nil, file = path }
  end
  if parts[1] and (got.d or got.j) then
    return nil, "give one of -d, -j and -F"
  end
  return parts[1] and parts or nil
end

--- What is said of TLS; nil: nothing.
local function tls_of(got)
  if got.k or got.ca then
    return { verify = not got.k, ca = got.ca }
  end
end

local function headers_of(got)
  local list, has_type = {}, false
  for i, line in ipairs(got.H) do
    local name, value = line:match("^([^:]+):%s*(.*)$")
    if not name then
      return nil, "-H needs 'Name: value'"
    end
    list[i] = { name, value }
    has_type = has_type or name:lower() == "content-type"
  end
  if (got.j or got.d) and not has_type then
    list[#list + 1] = { "Content-Type", got.d and "application/x-www-form-urlencoded"
      or "application/json" }
  end
  return list
end

--- Options of the request; nil, text.
local function options_of(got)
  local headers, why = headers_of(got)
  local body, parts
  if headers then
    parts, why = parts_of(got)
  end
  if headers and not why then
    body, why = body_of(got)
  end
  if why then
    return nil, why
  end
  local user, password = (got.u or ""):match("^([^:]*):?(.*)$")
  return { headers = headers, body = body, multipart = parts, stream = true,
    timeout = got.m, redirects = got.L or 10, proxy = got.x,
    auth = got.u and { user, password } or nil, tls = tls_of(got) }
end

local function print_head(resp)
  print(format("HTTP/%s %d %s", resp.version, resp.status, resp.reason))
  for name, value in resp.headers:each() do
    print(name .. ": " .. value)
  end
  print()
end

--- Write the body. true; nil, err. Parks.
local function write_body(resp, path)
  if path then
    return resp:save(path)
  end
  while true do
    local piece, err = resp:read_some()
    if not piece then
      return not err or nil, err
    end
    io.stdout:write(piece)
  end
end

local function print_times(resp)
  local t = resp.timings
  io.stderr:write(format("connected %.3f s, head %.3f s, all %.3f s\n", t.connected or 0,
    t.head or 0, t.total or t.head or 0))
end

local function show(resp, got)
  if got.f and not resp.ok then
    resp:close()
    io.stderr:write("the server answered ", resp.status, " ", resp.reason, "\n")
    return 22
  end
  if got.i or got.I then
    print_head(resp)
  end
  local ok, err = write_body(resp, got.o)
  if got.w then
    print_times(resp)
  end
  if not ok then
    io.stderr:write(tostring(err), "\n")
    return 1
  end
  return 0
end

--- The command. Parks.
-- @param ... its words
-- @treturn number the exit status: 0; 1: the request failed; 2: the words make no sense; 22:
-- the server answered with an error, and -f
function M.main(...)
  local got, why = parse { ... }
  if got and got.h then
    io.stdout:write(USAGE)
    return 0
  elseif got and not got.url then
    io.stderr:write(USAGE)
    return 2
  end
  local opts
  if got then
    opts, why = options_of(got)
  end
  if not opts then
    return complain(why)
  end
  local url = got.url:find("^%a[%w+.-]*://") and got.url or "http://" .. got.url
  local method = got.X or got.I and "HEAD" or (opts.body or opts.multipart) and "POST"
    or "GET"
  local resp, err = http.request(method, url, opts)
  if not resp then
    io.stderr:write(tostring(err), "\n")
    return 1
  end
  return show(resp, got)
end

return M
