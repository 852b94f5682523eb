-- SHA-256 of the files in a folder by two processes, half of the files each, or by two native
-- threads of one. Both are started anew, and read and digest by the same function.
--
--   sha256.lua make FOLDER COUNT MEGABYTES
--   sha256.lua processes FOLDER
--   sha256.lua threads FOLDER
--
-- Prints wall_ms from their start to their end, and cpu_ms of them all.
local fs = require "green.fs"
local green = require "green"
local process = require "green.process"
local tpool = require "green.tpool"

local PIECE = 65536 -- bytes; larger ones cost the processes more, and the threads not

local act, folder = arg[1], arg[2]

local function sum(path)
  local sha256 = require("green.digest").new "sha256"
  local file = assert(io.open(path, "rb"))
  for piece in function() return file:read(PIECE) end do
    sha256:update(piece)
  end
  file:close()
  return sha256:hex()
end

--- The paths of every step-th file, from one on.
local function paths(from, step)
  local all, some = assert(fs.readdir(folder)), {}
  table.sort(all)
  for i = from, #all, step do
    some[#some + 1] = folder .. "/" .. all[i]
  end
  return some
end

local acts = {}

function acts.make()
  local random = assert(io.open("/dev/urandom", "rb"))
  for i = 1, tonumber(arg[3]) do
    local file = assert(io.open(("%s/%03d"):format(folder, i), "wb"))
    for _ = 1, tonumber(arg[4]) * 16 do file:write(random:read(PIECE)) end
    file:close()
  end
end

function acts.half()
  for _, path in ipairs(paths(tonumber(arg[3]), 2)) do print(sum(path)) end
end

function acts.both()
  for _, hex in tpool.pool({ threads = 2 }):imap(sum, paths(1, 1), { size = 4 }) do print(hex) end
end

--- Run copies of this program side by side.
local function measure(...)
  local start, cpu, children = green.now(), 0, {}
  for i, words in ipairs { ... } do
    children[i] = assert(process.spawn { arg[-1], arg[0], words[1], folder, words[2],
      stdout = "null" })
  end
  for _, child in ipairs(children) do
    local how = assert(child:wait())
    assert(how.ok, tostring(how))
    cpu = cpu + how.usage.user + how.usage.system
  end
  print(("wall_ms=%.1f cpu_ms=%.1f"):format((green.now() - start) * 1000, cpu * 1000))
end

function acts.processes() measure({ "half", 1 }, { "half", 2 }) end

function acts.threads() measure { "both" } end

acts[act]()
