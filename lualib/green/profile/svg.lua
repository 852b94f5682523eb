--- A flame graph: an SVG file that a browser shows, searches and zooms. Private to
-- green.profile.
--
-- The idea is Brendan Gregg's; frames are as wide as they have samples, who calls stands below.
-- @module green.profile.svg

local script = require "green.profile.script"
local tree = require "green.profile.tree"
local xml = require "green.profile.xml"

local find, format = string.find, string.format
local concat, floor, max = table.concat, math.floor, math.max
local ipairs = ipairs

local WIDTH, ROW, MARGIN = 1200, 18, 10 -- pixels
local TOP = 60
local LEAST = 0.1 -- pixels of a frame that is shown
local LETTER = 6.6 -- pixels, about

-- -- Colours ------------------------------------------------------------------

local kinds = {
  { "^%(GC%)", 346, 9, 82 }, -- hue, its range, saturation
  { "^%(JIT", 285, 20, 45 },
  { "^%(anonymous%)", 24, 26, 80 },
  { "^%(others%)", 40, 1, 8 },
  { "^%(event loop%)", 220, 10, 12 },
  { "^%(", 172, 20, 38 }, -- what is waited for
  { "^%[C%]", 205, 25, 50 },
  { "^thread ", 130, 30, 32 },
  { "", 24, 26, 80 },
}

--- A colour that is always the same for a name, by what kind of frame it is.
local function colour_of(name)
  local hash = xml.hash(name)
  for _, kind in ipairs(kinds) do
    if find(name, kind[1]) then
      return format("hsl(%d,%d%%,%d%%)", kind[2] + hash % kind[3], kind[4], 62 + hash % 13)
    end
  end
end

-- -- Frames -------------------------------------------------------------------

local function label_of(name, width)
  local letters = floor((width - 6) / LETTER)
  if letters < 3 then
    return ""
  elseif #name <= letters then
    return name
  end
  return xml.cut(name, letters - 2) .. ".."
end

--- What the whole is drawn with: out, root, height, show.
local function draw(how, node, depth, at)
  local root = how.root
  local scale = (WIDTH - 2 * MARGIN) / root.total
  local x, width = MARGIN + at * scale, node.total * scale
  local y = how.height - MARGIN - (depth + 1) * ROW
  local name = xml.clean(node.name)
  how.out[#how.out + 1] = format('<g class="f" data-x="%.7f" data-w="%.7f" data-d="%d">'
    .. "<title>%s (%s, %.2f%%)</title>"
    .. '<rect x="%.2f" y="%d" width="%.2f" height="%d" rx="1" fill="%s"/>'
    .. '<text x="%.2f" y="%d">%s</text></g>\n',
    at / root.total, node.total / root.total, depth, xml.escape(name), how.show(node.total),
    100 * node.total / root.total, x, y, max(width - 0.4, LEAST), ROW - 1, colour_of(node.name),
    x + 3, y + 13, xml.escape(label_of(name, width)))
end

--- All frames of the tree that can be seen; a loop, for stacks may be deep.
local function draw_all(how)
  local row, depth = { { node = how.root, at = 0 } }, 0
  local least = LEAST * how.root.total / (WIDTH - 2 * MARGIN)
  while row[1] do
    local above = {}
    for _, one in ipairs(row) do
      draw(how, one.node, depth, one.at)
      local at = one.at
      for _, child in ipairs(one.node.children) do
        if child.total >= least then
          above[#above + 1] = { node = child, at = at }
        end
        at = at + child.total
      end
    end
    row, depth = above, depth + 1
  end
end

-- -- The file -----------------------------------------------------------------

local STYLE = [[
svg{background:#fbfaf8;font:12px ui-monospace,Menlo,Consolas,monospace}
text{fill:#1c1b19;pointer-events:none}
.h{font:600 15px system-ui,sans-serif}.s{font:12px system-ui,sans-serif;fill:#5d5a54}
.b{cursor:pointer;pointer-events:all;fill:#1f5fbf}.b:hover{text-decoration:underline}
.f{cursor:pointer}.f:hover rect{stroke:#1c1b19;stroke-width:1}
.m rect{fill:#d63aff!important}.p{opacity:.55}
@media(prefers-color-scheme:dark){svg{background:#1b1a18}.h,.s,#d{fill:#e8e4dc}.b{fill:#7fb0ff}}
]]

--- The lines on top of all.
local function head(about, height)
  return format('<?xml version="1.0" encoding="UTF-8"?>\n<svg xmlns="http://www.w3.org/2000/svg"'
    .. ' viewBox="0 0 %d %d" width="100%%" role="img">\n<title>%s</title>\n<style>%s</style>\n'
    .. '<text class="h" x="10" y="24">%s</text><text class="s" x="10" y="42">%s</text>\n'
    .. '<text id="r" class="s b" x="900" y="24" style="display:none">show all</text>'
    .. '<text id="q" class="s b" x="1000" y="24">search</text>'
    .. '<text id="n" class="s" x="1060" y="24"></text>\n',
    WIDTH, height, about.title, STYLE, about.title, about.subtitle)
end

--- The file's text.
-- @tparam table stacks a list of { count =, value =, frames... }, the outermost frame first
-- @tparam table about `title`, `subtitle`; `show` a function: a value as a text
-- @treturn string
return function(stacks, about)
  local root, depth = tree.of(stacks)
  if root.total == 0 then
    root.total, root.name = 1, "no samples"
  end
  local height = TOP + depth * ROW + 40
  local out = { head({ title = xml.escape(xml.clean(about.title)),
    subtitle = xml.escape(xml.clean(about.subtitle)) }, height) }
  draw_all { out = out, root = root, height = height - 26, show = about.show }
  out[#out + 1] = format('<text id="d" class="s" x="10" y="%d"></text>\n<script><![CDATA[\n%s]]>'
    .. "</script>\n</svg>\n", height - 14, script)
  return concat(out)
end
