-- doc_links.lua DIR: makes the links of the rendered pages work, and checks them.
--
-- The guides link to each other by file (`wsgi.md#https`), as who reads them in the tree
-- needs it. LDoc copies such links as they stand, puts all guides into one folder as
-- NAME.md.html, and names headings in its own way. This rewrites the links, gives each
-- heading the name that the links use, and fails when a link leads nowhere.

local root = assert(arg[1], "usage: doc_links.lua DIR")

local function lines_of(command)
  local pipe = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do
    list[#list + 1] = line
  end
  pipe:close()
  return list
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

--- The name that GitHub gives a heading: "A client that goes" is "a-client-that-goes".
local function name_of(heading)
  local text = heading:gsub("<[^>]*>", ""):gsub("&[^;]*;", ""):lower()
  return (text:gsub("[^%w _-]", ""):gsub(" ", "-"))
end

local function name_headings(html)
  return (html:gsub("<(h[1-4])>(.-)</%1>", function(tag, heading)
    return ('<%s id="%s">%s</%s>'):format(tag, name_of(heading), heading, tag)
  end))
end

--- Guides lie beside each other here; what is not a guide is left as it is.
local function point(html)
  return (html:gsub('href="[^":]-([%w_-]+%.md)(["#])', 'href="%1.html%2'))
end

local anchors = {} -- page -> set of names
local function scan(path, html)
  local names = {}
  for name in html:gmatch '<%w+[^>]- id="([^"]+)"' do
    names[name] = true
  end
  for name in html:gmatch '<a name%s*=%s*"([^"]+)"' do
    names[name:gsub("&[^;]*;", "")] = true
    names[name] = true
  end
  anchors[path] = names
end

local function resolved(folder, link)
  local path = link == "" and "" or folder .. "/" .. link
  local n
  repeat
    path, n = path:gsub("/[^/]+/%.%./", "/", 1)
  until n == 0
  return (path:gsub("/%./", "/"))
end

local function check(path, html)
  local folder, bad = path:match "^(.*)/", 0
  for link in html:gmatch 'href%s*=%s*"([^"]*)"' do
    local file, anchor = link:match "^([^#]*)#?(.*)$"
    local target = file == "" and path or resolved(folder, file)
    local known = anchors[target]
    if not link:find "^%a+:" and not (known and (anchor == "" or known[anchor])) then
      io.stderr:write(path, ": leads nowhere: ", link, "\n")
      bad = bad + 1
    end
  end
  return bad
end

local pages = {}
for _, path in ipairs(lines_of("find '" .. root .. "' -type f")) do
  anchors[path] = {}
  if path:find "%.html$" then
    local html = read(path)
    if path:find "/topics/" then
      html = point(name_headings(html))
      local file = assert(io.open(path, "wb"))
      file:write(html)
      file:close()
    end
    scan(path, html)
    pages[path] = html
  end
end
local bad = 0
for path, html in pairs(pages) do
  bad = bad + check(path, html)
end
os.exit(bad == 0 and next(pages) and 0 or 1)
