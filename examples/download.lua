-- Downloads files, four at a time, into a folder, with a bar that shows how far they are. A
-- file has its name when all of it is there; until then ".part" stands behind it.
--
--   greenlua examples/download.lua FOLDER URL...

local green = require "green"
local http = require "green.http"
local url = require "green.url"

local AT_ONCE, WIDTH = 4, 40

local session = http.session { redirects = 5, headers = { ["User-Agent"] = "greenlua-download" } }
local total, done = 0, 0 -- bytes that are known of, bytes that are there
local drawn = 0

--- Draw the bar, ten times a second at most.
local function draw(is_last)
  local now = green.now()
  if not is_last and now - drawn < 0.1 then return end
  drawn = now
  local part = total > 0 and math.min(1, done / total) or 0
  local filled = math.floor(part * WIDTH)
  io.stderr:write(("\r[%s%s] %3d%% of %.1f MB"):format(("#"):rep(filled),
    (" "):rep(WIDTH - filled), part * 100, total / 1e6), is_last and "\n" or "")
end

--- What a file is called here: the end of the URL's path, and never another folder's.
local function name_of(place)
  local name = url.unescape(place.path:match("[^/]*$") or "")
  name = name and name:gsub("[%z\1-\31/\127]", "_") or ""
  return (name == "" or name == "." or name == "..") and "index.html" or name
end

--- Write an answer's body to a file. true; or nil, err.
local function save(resp, path)
  local file, why = io.open(path, "wb")
  if not file then return nil, why end
  local chunk, err = resp:read_some()
  while chunk do
    local ok
    ok, err = file:write(chunk)
    if not ok then break end
    done = done + #chunk
    draw()
    chunk, err = resp:read_some()
  end
  local closed, at_end = file:close()
  return not err and closed, err or at_end
end

--- Download one. What to say of it, and whether it is there.
local function download(text, folder, taken)
  local place, err = url.parse(text)
  if not place then return tostring(err), false end
  local name = name_of(place)
  if taken[name] then return text .. ": there is another " .. name, false end
  taken[name] = true
  local resp
  resp, err = session:get(text, { stream = true })
  if resp then resp, err = resp:check() end
  if not resp then return tostring(err), false end
  local length = tonumber(resp.headers:get "content-length") or 0
  total = total + length
  local path = folder .. "/" .. name
  local ok
  ok, err = save(resp, path .. ".part")
  resp:close()
  if ok then ok, err = os.rename(path .. ".part", path) end
  if not ok then
    os.remove(path .. ".part")
    return text .. ": " .. tostring(err), false
  end
  return name, true
end

if #arg < 2 then
  print("usage: greenlua examples/download.lua FOLDER URL...")
  os.exit(2)
end
local pool, taken, failed, lines = green.GreenPool(AT_ONCE), {}, 0, {}
for _, line, is_there in pool:imap(function(text)
  return download(text, arg[1], taken)
end, { unpack(arg, 2) }) do
  lines[#lines + 1] = (is_there and "done    " or "failed  ") .. line
  failed = failed + (is_there and 0 or 1)
end
draw(true)
print(table.concat(lines, "\n"))
session:close()
os.exit(failed == 0 and 0 or 1)
