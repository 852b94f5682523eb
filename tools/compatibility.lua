-- compatibility.lua [--check] [ROOT]: joins docs/compatibility.md with the specs.
--
-- A spec that proves a row of the page cites it, in its title or beside a line: [b19],
-- [S26]. This writes the files that cite a row into the row's last column; with --check
-- it only says where page and specs differ (`make lint`). A row that nothing cites says
-- itself why, in one of the words below. A citation without a row fails either way.

local check = arg[1] == "--check"
local root = arg[check and 2 or 1] or "."
local PAGE = "docs/compatibility.md"
local LAST = { S = 69, b = 172 } -- rows of each kind

-- What a row may say that nothing cites; the words behind the colon say more.
local REASONS = { "no spec", "not built yet", "checked by `", "does not apply: " }

local problems = 0

local function problem(...)
  problems = problems + 1
  io.stderr:write(string.format(...), "\n")
end

local function lines_of(path)
  local file = assert(io.open(root .. "/" .. path))
  local lines = {}
  for line in file:lines() do lines[#lines + 1] = line end
  file:close()
  return lines
end

-- The specs -------------------------------------------------------------------

--- Call fn with each row that a line cites; t[b1] is an index.
local function each_citation(line, fn)
  for list in (" " .. line):gmatch("[^%w_%)%]]%[([bS]%d[%w, ]*)%]") do
    for id in list:gmatch("%w+") do fn(id) end
  end
end

--- id -> list of the files that cite it, with the first place: { file, file:line }.
local function citations()
  local found = {}
  local pipe = assert(io.popen(
    ("cd '%s' && find spec -name '*.lua' -o -name '*.[ch]' | sort"):format(root)))
  for path in pipe:lines() do
    for n, line in ipairs(lines_of(path)) do
      each_citation(line, function(id)
        local files = found[id] or {}
        found[id] = files
        if files[#files] ~= path then
          files[#files + 1] = path
          files.place = files.place or ("%s:%d"):format(path, n)
        end
      end)
    end
  end
  pipe:close()
  return found
end

-- The page --------------------------------------------------------------------

local function is_reason(text)
  for _, reason in ipairs(REASONS) do
    if text:sub(1, #reason) == reason then return true end
  end
  return false
end

--- What the row's last column should be, and by what it counts.
local function column(id, files, was, n)
  if files then
    return "`" .. table.concat(files, "`, `") .. "`", "proved by specs"
  elseif is_reason(was) then
    return was, (was:gsub("[:`].*", ""):gsub(" $", ""))
  end
  problem("%s:%d: no spec cites %s any more", PAGE, n, id)
  return "no spec", "no spec"
end

--- Rows stand in order, none is missing: the number that should come next.
local function check_order(id, last, n)
  local kind, number = id:match("^(%a)(%d+)$")
  if tonumber(number) ~= (last[kind] or 0) + 1 then
    problem("%s:%d: %s does not follow %s%d", PAGE, n, id, kind, last[kind] or 0)
  end
  last[kind] = tonumber(number)
end

local function check_all_there(last)
  for kind, number in pairs(LAST) do
    if last[kind] ~= number then
      problem("%s: the last row of its kind is %s%d, not %d", PAGE, kind, last[kind] or 0, number)
    end
  end
end

--- The page's lines as they should be, and how many rows count by what.
local function join(lines, found)
  local rows, counts, last = {}, {}, {}
  for n, line in ipairs(lines) do
    local id, behaviour, was = line:match("^| ([bS]%d+) | (.-) | ([^|]*) |$")
    if id then
      check_order(id, last, n)
      local text, counted = column(id, found[id], was, n)
      counts[counted] = (counts[counted] or 0) + 1
      lines[n], rows[id] = ("| %s | %s | %s |"):format(id, behaviour, text), true
    elseif line:find("^| [bS]%d") then
      problem("%s:%d: not three columns", PAGE, n)
    end
  end
  check_all_there(last)
  for id, files in pairs(found) do
    if not rows[id] then problem("%s: cites [%s], and there is no such row", files.place, id) end
  end
  return counts
end

local function say(counts)
  local words = {}
  for what, n in pairs(counts) do words[#words + 1] = ("%d %s"):format(n, what) end
  table.sort(words)
  print(("%s: rows: %s"):format(PAGE, table.concat(words, ", ")))
end

local lines = lines_of(PAGE)
local before = table.concat(lines, "\n")
local counts = join(lines, citations())
local after = table.concat(lines, "\n")
if check and before ~= after and problems == 0 then
  problem("%s: its last column is not what the specs say: run make compatibility", PAGE)
elseif not check and before ~= after then
  local file = assert(io.open(root .. "/" .. PAGE, "w"))
  file:write(after, "\n")
  file:close()
end
say(counts)
os.exit(problems == 0 and 0 or 1)
