-- SHA-256 sums of files over all cores, as sha256sum prints them, with a bar on a terminal.
-- A native thread reads and digests a file; the loop only says who is next.
--
--   greenlua examples/sha256sums.lua FILE... > SUMS
--   greenlua examples/sha256sums.lua -c SUMS         are they still the same?

local green = require "green"
local pipe = require "green.pipe"
local process = require "green.process"
local tpool = require "green.tpool"

local PIECE = 65536 -- bytes that are read at a time
local BAR = 30 -- characters
local ESCAPES = { ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r" }
local MEANT = { ["\\"] = "\\", n = "\n", r = "\r" }

local failed = false

-- -- In a native thread -----------------------------------------------------------

--- The sum of a file; or nil, and why there is none.
local function sum(path)
  local sha256 = require("green.digest").new "sha256"
  local file, problem = io.open(path == "-" and "/dev/stdin" or path, "rb")
  if not file then
    return nil, (problem:gsub("^.*: ", ""))
  end
  local piece
  repeat
    piece, problem = file:read(PIECE)
    sha256:update(piece or "")
  until not piece
  file:close()
  if problem then
    return nil, problem
  end
  return sha256:hex()
end

-- -- What is seen -----------------------------------------------------------------

local bar = pipe.from_fd(2, "w") -- nil: a file
bar = bar and bar:isatty() and bar or nil

local function draw(done, all)
  if bar then
    local n = math.floor(done / all * BAR)
    bar:write(("\r\27[K[%s%s] %d of %d files"):format(("#"):rep(n), ("."):rep(BAR - n), done, all))
  end
end

local function wipe()
  if bar then bar:write "\r\27[K" end
end

local function complain(...)
  wipe()
  io.stderr:write("sha256sums: ", ...)
  io.stderr:write "\n"
end

--- A name as it stands in a list, and what stands before its sum then.
local function escape(name)
  local text, n = name:gsub("[\\\n\r]", ESCAPES)
  return text, n > 0 and "\\" or ""
end

-- -- Lists ------------------------------------------------------------------------

--- A line of a list: the sum and the name; nil: it is none.
local function read_line(line)
  local mark, hex, name = line:match "^(\\?)(%x+) [ *](.+)$"
  if not hex or #hex ~= 64 then
    return nil
  end
  return hex:lower(), mark == "" and name or (name:gsub("\\(.)", MEANT))
end

--- The files that a list names, the sums that they had, and how many lines are none; nil:
-- it cannot be read, or names none.
local function read_list(name)
  local files, sums, bad = {}, {}, 0
  local list, problem = io.open(name == "-" and "/dev/stdin" or name)
  if not list then
    return complain((problem:gsub("^/dev/stdin", "-")))
  end
  for line in list:lines() do
    local hex, file = read_line(line)
    if hex then
      files[#files + 1], sums[#sums + 1] = file, hex
    elseif line:find "^[^#]" then
      bad = bad + 1
    end
  end
  list:close()
  if #files == 0 then
    return complain(name, ": no properly formatted checksum lines found")
  end
  return files, sums, bad
end

-- -- All of them ------------------------------------------------------------------

--- For a loop over i, sum, problem: in the order of the files, and as many at once as there
-- are cores. The loop parks.
local function sums_of(files)
  local cores = tonumber(assert(process.run { "nproc" }).stdout)
  local done = 0
  tpool.set_num_threads(cores)
  draw(done, #files)
  return green.GreenPool(2 * cores):imap(function(file)
    local hex, problem = tpool.execute(sum, file)
    done = done + 1
    draw(done, #files)
    return hex, problem
  end, files)
end

local function print_sums(files)
  for i, hex, problem in sums_of(files) do
    if hex then
      local name, mark = escape(files[i])
      wipe()
      print(mark .. hex .. "  " .. name)
    else
      complain(files[i], ": ", problem)
      failed = true
    end
  end
end

local function warn(count, one, many)
  if count > 0 then
    complain("WARNING: ", count, " ", count == 1 and one or many)
  end
end

local function check(list)
  local files, sums, bad = read_list(list)
  local unread, differ = 0, 0
  if not files then
    failed = true
    return
  end
  for i, hex, problem in sums_of(files) do
    local name, mark = escape(files[i])
    local verdict = hex == sums[i] and "OK" or "FAILED"
    if not hex then
      complain(files[i], ": ", problem)
      verdict, unread = "FAILED open or read", unread + 1
    elseif hex ~= sums[i] then
      differ = differ + 1
    end
    wipe()
    print(mark .. name .. ": " .. verdict)
  end
  warn(bad, "line is improperly formatted", "lines are improperly formatted")
  warn(unread, "listed file could not be read", "listed files could not be read")
  warn(differ, "computed checksum did NOT match", "computed checksums did NOT match")
  failed = failed or unread + differ > 0
end

if arg[1] == "-c" then
  for i = 2, math.max(2, #arg) do check(arg[i] or "-") end
else
  print_sums(arg[1] and { unpack(arg) } or { "-" })
end
wipe()
os.exit(failed and 1 or 0)
