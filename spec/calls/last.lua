-- Calls when the runtime has ended: in a finalizer that runs as the state closes.

local build = require "spec.calls.build"
local find = require "spec.calls.find"
local raw = require "spec.calls.raw"
local values = require "spec.calls.values"

local SECONDS = 30

-- Functions of C modules' are not there any more: LuaJIT has unloaded those, and whoever calls
-- them then, plain luajit too, ends the process. These call lua-cjson's.
local UNLOADED = { ["zmq.rpc.client"] = true, ["zmq.rpc.worker"] = true,
  ["green.zmq.rpc.client:call"] = true }

local M = {}
local calls = {} -- { label, file, fn, args }

--- f with right arguments, and with a wrong self or first argument.
function M.keep(f, base)
  if UNLOADED[f.label] then
    return true
  end
  local ok = pcall(function()
    local args = { n = #base }
    for i, text in ipairs(base) do args[i] = build.value(text) end
    if f.object then
      table.insert(args, 1, (build.object(f.class)))
      args.n = args.n + 1
    end
    local wrong = { n = args.n, unpack(args, 1, args.n) }
    wrong[1] = values.list[2][2]
    local fn = f.text and build.value(f.text) or f.fn
    calls[#calls + 1] = { f = f, fn = fn, args = args }
    calls[#calls + 1] = { f = f, fn = fn, args = wrong }
  end)
  return ok
end

local function try(call)
  local f = call.f
  local title = f.label .. " when the runtime has ended"
  raw.begin(0, title, SECONDS)
  local ok, err = pcall(call.fn, unpack(call.args, 1, call.args.n))
  if not ok and find.is_public(f.label) and type(err) == "string"
    and (err:find("attempt to", 1, true) or err:find("cannot convert", 1, true)) then
    raw.report("FAIL", ("%s:%d"):format(f.about.file, f.about.line), title, "raised inside", err)
  end
end

--- Begin to wait for the end: proxies are finalized in the order opposite to theirs.
function M.wait(subject)
  local proxy = newproxy(true)
  getmetatable(proxy).__gc = function()
    for _, call in ipairs(calls) do try(call) end
    raw.report("LATE", subject, #calls)
  end
  M.proxy = proxy
end

return M
