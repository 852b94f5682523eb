-- Walks over a site: all pages that can be reached by links, four at a time and politely: it
-- says who it is, reads robots.txt, begins no more than 50 requests a second and comes back
-- when a server that is busy says so.
--
--   greenlua examples/crawler.lua [URL [MOST]]     without a URL: a site made here

local green = require "green"
local http = require "green.http"
local url = require "green.url"
local wsgi = require "green.wsgi"

local AT_ONCE, PAUSE = 4, 0.02
local AGENT = "greenlua-crawler"

--- A site of so many pages, each with links to two more, one to nowhere and one elsewhere.
local function own_site(pages)
  local served, busy = 0, true
  local function page(n)
    local links = { "/missing", "https://example.org/" }
    for _, to in ipairs { 2 * n, 2 * n + 1, 1 } do
      if to <= pages then links[#links + 1] = ("/page/%d#top"):format(to) end
    end
    for i, link in ipairs(links) do links[i] = ("<a href=%q>a link</a>"):format(link) end
    return 200, { ["Content-Type"] = "text/html" }, table.concat(links, "\n")
  end
  local server = assert(wsgi.new("127.0.0.1:0", function(env)
    local n = tonumber(env.PATH_INFO:match("^/page/(%d+)$"))
    served = served + 1
    if env.PATH_INFO == "/robots.txt" then
      return 200, nil, "User-agent: *\nDisallow: /page/7\n"
    elseif busy and served > 5 then -- once
      busy = false
      return 503, { ["Retry-After"] = "0" }, "later\n"
    end
    if n or env.PATH_INFO == "/" then return page(n or 1) end
    return 404, nil, "no such page\n"
  end))
  server:start()
  return server
end

local session = http.session {
  headers = { ["User-Agent"] = AGENT }, timeout = { connect = 5, first = 10 },
  retries = { tries = 3 }, max_body = 1048576,
}

--- Which paths the site does not want to be asked for: what it says to all.
local function read_robots(origin)
  local refused, is_for_us = {}, false
  local resp = session:get(origin .. "/robots.txt")
  local text = resp and resp.ok and resp:text() or ""
  for line in text:gmatch("[^\r\n]+") do
    local name, value = line:match("^%s*([%w-]+)%s*:%s*(%S*)")
    name = name and name:lower()
    if name == "user-agent" then
      is_for_us = value == "*"
    elseif name == "disallow" and is_for_us and value ~= "" then
      refused[#refused + 1] = value
    end
  end
  return function(path)
    for _, start in ipairs(refused) do
      if path:sub(1, #start) == start then return false end
    end
    return true
  end
end

local due = 0

--- Wait until it is polite to begin another request.
local function wait_turn()
  local now = green.now()
  due = math.max(due, now) + PAUSE
  green.sleep(due - PAUSE - now)
end

--- A page: its links, or nil and why not.
local function fetch(place)
  wait_turn()
  local resp, err = session:get(place)
  if not resp then return { err = err } end
  local text
  text, err = resp:text()
  if not resp.ok or not text then return { err = err or resp.status } end
  local links = {}
  if (resp.headers:get "content-type" or ""):find("^text/html") then
    for href in text:gmatch("<a%s[^>]-href=[\"']([^\"']*)") do
      links[#links + 1] = href:gsub("&amp;", "&")
    end
  end
  return { links = links, size = #text, url = resp.url }
end

local function crawl(start, most)
  local origin, seen, level = start.origin, { [tostring(start)] = true }, { tostring(start) }
  local allowed, pool = read_robots(origin), green.GreenPool(AT_ONCE)
  local pages, bytes, broken, count = 0, 0, {}, 1
  while level[1] do
    local found = {}
    for i, page in pool:imap(fetch, level) do
      if page.err then
        broken[#broken + 1] = level[i] .. ": " .. tostring(page.err)
      else
        pages, bytes = pages + 1, bytes + page.size
      end
      for _, href in ipairs(page.links or {}) do
        local to = url.join(page.url, href) -- where a redirect has led to
        to = to and url.build { scheme = to.scheme, host = to.host, port = to.port, path = to.path,
          query = to.query }
        local text = to and tostring(url.normalise(to))
        if text and to.origin == origin and not seen[text] and count < most
          and allowed(to.path) then
          seen[text], count = true, count + 1
          found[#found + 1] = text
        end
      end
      io.stderr:write(("\r%d pages, %d broken, %d to go  "):format(pages, #broken,
        #level - i + #found))
    end
    level = found
  end
  io.stderr:write("\n")
  return pages, bytes, broken
end

local server = not arg[1] and own_site(40) or nil
local start, err = url.parse(arg[1] or server.url .. "/")
if not start or not start.origin then
  io.stderr:write("crawler: ", tostring(err or "a URL with a host is wanted"), "\n")
  os.exit(2)
end
local pages, bytes, broken = crawl(url.normalise(start), tonumber(arg[2]) or 1000)
for _, line in ipairs(broken) do print("broken: " .. line) end
print(("%d pages, %d bytes, %d broken links"):format(pages, bytes, #broken))
session:close()
if server then server:stop() end
