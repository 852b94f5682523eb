-- Medians and ratios of what bench/run measured.
--
--   README=1 luajit bench/report.lua FOLDER [ROW...]
--
-- Reads FOLDER/<row>.samples, writes FOLDER/results.txt and FOLDER/table.md,
-- prints the named rows of the former. With README=1 the table takes the place
-- of the lines between the two "figures" comments of bench/README.md.
local folder = arg[1]
local README = "bench/README.md"
local figures = dofile("bench/figures.lua")

local ORDER = { "floor", "floor_fd", "luajit", "greenlua", "chunks", "light", "nginx",
  "nginx+lua", "go", "node", "fetch", "requests", "httpx", "lua-http", "curl", "eventlet",
  "websockets", "hiredis", "redis-py", "zmq_asyncio", "zmq_eventlet", "zmq_blocking" }

local function read_all(path)
  local f = io.open(path)
  if not f then return end
  local text = f:read("*a")
  f:close()
  return text
end

local function write_all(path, text)
  local f = assert(io.open(path, "w"))
  f:write(text)
  f:close()
end

-- samples[subject][round][field], and the line about when they were taken.
local function read_samples(row)
  local text = read_all(folder .. "/" .. row .. ".samples")
  if not text then return end
  local samples = {}
  for line in text:gmatch("[^\n]+") do
    local subject, round, fields = line:match("^([^#%s]%S*) (%d+) (.*)$")
    if subject then
      samples[subject] = samples[subject] or {}
      local rounds = samples[subject]
      local sample = rounds[tonumber(round)] or {}
      for name, value in fields:gmatch("(%S+)=(%S+)") do sample[name] = tonumber(value) end
      rounds[tonumber(round)] = sample
    end
  end
  return samples, text:match("^# ([^\n]*)")
end

-- The field's values by round (a round that failed is missing).
local function values_of(samples, subject, figure)
  local values = {}
  for round, sample in pairs(samples[subject] or {}) do
    values[round] = sample[figure.key] and sample[figure.key] / (figure.per or 1)
  end
  return values
end

-- Median, minimum, maximum; nil of nothing.
local function summary(values)
  local list = {}
  for _, v in pairs(values) do list[#list + 1] = v end
  if #list == 0 then return end
  table.sort(list)
  local half = #list / 2
  local median = list[math.ceil(half)]
  if half == math.floor(half) then median = (median + list[half + 1]) / 2 end
  return median, list[1], list[#list], #list
end

-- The median of the ratios, each within one round.
local function ratio(values, others)
  local ratios = {}
  for round, v in pairs(values) do ratios[round] = others[round] and v / others[round] end
  return (summary(ratios))
end

local function number(v)
  if v >= 100 then return ("%.0f"):format(v) end
  if v >= 10 then return ("%.1f"):format(v) end
  return ("%.2f"):format(v)
end

-- What the figure must reach and whether it does.
local function verdict(figure, samples, median, to_floor)
  local texts, met = {}, true
  local function check(text, value, most)
    if not value then return end
    texts[#texts + 1] = ("%s (%s)"):format(text, number(value))
    if value > most then met = false end
  end
  if figure.limit then
    check(("≤ %s %s"):format(figure.limit, figure.unit), median, figure.limit)
  end
  if figure.ratio then check(("≤ %s×"):format(figure.ratio), to_floor, figure.ratio) end
  local mine = values_of(samples, "greenlua", figure)
  for _, peer in ipairs(ORDER) do
    local most = (figure.beside or {})[peer]
    if most then
      local text = most == 1 and "below " .. peer or ("≤ %.2f× %s"):format(most, peer)
      check(text, ratio(mine, values_of(samples, peer, figure)), most)
    end
  end
  if #texts == 0 then return "" end
  return table.concat(texts, ", ") .. (met and ": met" or ": **missed**")
end

-- One line of the table for each subject that was measured.
local function figure_lines(figure, samples, lines)
  local floor = values_of(samples, figure.floor or "floor", figure)
  local title = figure.title
  for _, subject in ipairs(ORDER) do
    local values = values_of(samples, subject, figure)
    local median, low, high, rounds = summary(values)
    if median then
      local to_floor = ratio(values, floor)
      lines[#lines + 1] = {
        title, subject, ("%s %s"):format(number(median), figure.unit),
        ("%s – %s"):format(number(low), number(high)), tostring(rounds),
        to_floor and ("%.2f×"):format(to_floor) or "",
        subject == "greenlua" and verdict(figure, samples, median, to_floor) or "",
      }
      title = ""
    end
  end
end

-- A line of the second table: how a cost grows.
local function growth_line(figure, samples, lines)
  local function summary_of(field)
    return summary(values_of(samples, "greenlua", { key = figure.key .. field }))
  end
  local exponent, low, high, rounds = summary_of("_exponent")
  if not exponent then return end
  local line = { figure.title, ("%d"):format((summary_of("_n"))) }
  for _, field in ipairs { "_1", "_2", "_4" } do line[#line + 1] = number((summary_of(field))) end
  line[#line + 1] = number(exponent)
  line[#line + 1] = ("%s – %s"):format(number(low), number(high))
  line[#line + 1] = tostring(rounds)
  local met = exponent < figure.growth and "met" or "**missed**"
  line[#line + 1] = ("below %s (%s): %s"):format(figure.growth, number(exponent), met)
  lines[#lines + 1] = line
end

local FIGURES = { "figure", "subject", "median", "min – max", "rounds", "to the floor",
  "must reach (is)" }
local GROWTH = { "operation", "n", "µs each at n", "at 2n", "at 4n", "exponent", "min – max",
  "rounds", "must reach (is)" }

local function markdown(tables, origins)
  local out = {}
  local function put(line) out[#out + 1] = "| " .. table.concat(line, " | ") .. " |" end
  for _, t in ipairs(tables) do
    put(t.headings)
    out[#out + 1] = ("|---"):rep(#t.headings) .. "|"
    for _, line in ipairs(t.lines) do put(line) end
    out[#out + 1] = ""
  end
  for _, origin in ipairs(origins) do out[#out + 1] = origin .. "  " end
  return table.concat(out, "\n") .. "\n"
end

-- Characters, not bytes: µ, × and – are two or three.
local function width(s)
  return select(2, s:gsub("[^\128-\191]", ""))
end

-- Columns of one width.
local function columns(lines, out)
  local widths = {}
  for _, line in ipairs(lines) do
    for i, cell in ipairs(line) do widths[i] = math.max(widths[i] or 0, width(cell)) end
  end
  for _, line in ipairs(lines) do
    local cells = {}
    for i, cell in ipairs(line) do cells[i] = cell .. (" "):rep(widths[i] - width(cell)) end
    out[#out + 1] = (table.concat(cells, "  "):gsub("%s+$", ""))
  end
end

local function plain(tables, origins)
  local out = {}
  for _, t in ipairs(tables) do
    if t.headings == GROWTH then table.insert(t.lines, 1, GROWTH) end
    columns(t.lines, out)
  end
  return table.concat(out, "\n") .. "\n" .. table.concat(origins, "\n") .. "\n"
end

-- The tables of the wanted rows (nil for all), and when each was measured.
local function report(wanted)
  local lines, growth, origins, rows_of = {}, {}, {}, {}
  for _, figure in ipairs(figures) do
    local samples, origin = read_samples(figure.row)
    if samples and (not wanted or wanted[figure.row]) then
      if figure.growth then
        growth_line(figure, samples, growth)
      else
        figure_lines(figure, samples, lines)
      end
      if not rows_of[origin] then
        rows_of[origin] = {}
        origins[#origins + 1] = origin
      end
      local rows = rows_of[origin]
      if rows[#rows] ~= figure.row then rows[#rows + 1] = figure.row end
    end
  end
  for i, origin in ipairs(origins) do
    origins[i] = ("%s: %s."):format(table.concat(rows_of[origin], ", "), origin)
  end
  local machine = read_all(folder .. "/machine.txt")
  if machine then origins[#origins + 1] = "On " .. machine:gsub("%s+$", "") .. "." end
  local tables = {}
  if #lines > 0 then tables[1] = { headings = FIGURES, lines = lines } end
  if #growth > 0 then tables[#tables + 1] = { headings = GROWTH, lines = growth } end
  return tables, origins
end

local function put_into_readme(text)
  local parts = "^(.-<!%-%- figures %-%->\n).-(<!%-%- end figures %-%->.*)$"
  local before, after = assert(read_all(README)):match(parts)
  if not before then error(README .. " has no place for the figures") end
  write_all(README, before .. text .. after)
end

write_all(folder .. "/results.txt", plain(report()))
write_all(folder .. "/table.md", markdown(report()))
if os.getenv("README") == "1" then put_into_readme(markdown(report())) end

local wanted
for i = 2, #arg do
  wanted = wanted or {}
  wanted[arg[i]] = true
end
io.write(plain(report(wanted)))
