-- run.lua [busted options] [FILE_OR_FOLDER...]: busted inside the LuaJIT that
-- runs this file, with our options and TAP as its output (tools/test reads it).
--
--   build/greenlua spec/run.lua                       all but spec/rock
--   build/greenlua spec/run.lua spec/queue_spec.lua   one file
--   SEED=7 build/greenlua spec/run.lua                the order of another run

local lfs = require "lfs"
require "ffi"

-- Without auto-insulation (below) busted need not guard the FFI, and its guard
-- is wrong for us: it remembers ffi.typeof by the first argument alone.
package.loaded["busted.luajit"] = function()
  return function() end
end

--- All *_spec.lua below a folder, but those for plain luajit and helpers.
local function find_specs(folder, found)
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    local mode = lfs.attributes(path, "mode")
    if mode == "directory" and not name:find("^%.") and path ~= "spec/rock" then
      find_specs(path, found)
    elseif mode == "file" and name:find("_spec%.lua$") then
      found[#found + 1] = path
    end
  end
  table.sort(found)
  return found
end

--- /dev/urandom rather than the time: two runs in a second differ.
local function random_seed()
  local file = io.open("/dev/urandom", "rb")
  local bytes = file and file:read(2)
  if file then file:close() end
  if not bytes then return os.time() % 65536 end
  return bytes:byte(1) * 256 + bytes:byte(2)
end

local function exists(path)
  return lfs.attributes(path, "mode") == "file"
end

local given = { unpack(arg) }
local names_a_root = false
for _, word in ipairs(given) do
  if not word:find("^%-") then names_a_root = true end
end

local seed = tonumber(os.getenv("SEED")) or random_seed()
local options = {
  [0] = arg[0],
  "--output=tools/busted_tap.lua",
  "--pattern=_spec",
  "--shuffle",
  "--seed=" .. seed,
  -- Insulation would load the library anew for every file, while its cdefs and
  -- its C state stay: another program than the one users run.
  "--no-auto-insulate",
}
if exists("spec/helper.lua") then options[#options + 1] = "--helper=spec/helper.lua" end
for _, word in ipairs(given) do options[#options + 1] = word end
if not names_a_root then
  for _, path in ipairs(find_specs("spec", {})) do options[#options + 1] = path end
end
arg = options -- luacheck: ignore 121 (busted reads its command line there)

print("# seed " .. seed)
-- A function of this file must be the caller: busted reads its source name.
local ok, err = pcall(function()
  require "busted.runner"({ standalone = false })
end)
io.stdout:flush()
-- busted ends a failed run with error(nil); the TAP has told what failed.
if not ok then
  if err ~= nil then io.stderr:write(tostring(err), "\n") end
  os.exit(1)
end
