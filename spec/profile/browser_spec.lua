-- The flame graph in a browser. Screenshots are left in the build's folder screenshots.

local devtools = require "spec.support.devtools"
local patient = require "spec.support.patient"
local program = require "spec.support.program"
local svg = require "green.profile.svg"

local it = patient.busted()

local SHOTS = program.build .. "/screenshots"

local STACKS = {
  { "thread main", "main chunk app.lua:9", "handle app.lua:20", "render page.lua:31",
    "[C] gsub", count = 30, value = 30e6 },
  { "thread main", "main chunk app.lua:9", "handle app.lua:20", "render page.lua:33", "(GC)",
    count = 12, value = 12e6 },
  { "thread main", "main chunk app.lua:9", "handle app.lua:21", "query db.lua:7", count = 25,
    value = 25e6 },
  { "thread worker (spawned at app.lua:3)", "(anonymous) app.lua:4", "sum app.lua:5", count = 18,
    value = 18e6 },
  { "thread worker (spawned at app.lua:3)", "(anonymous) app.lua:4", "(JIT compiler)", count = 5,
    value = 5e6 },
  { "thread <img src=x onerror=\"document.title='owned'\">", "run x.lua:1", count = 4,
    value = 4e6 },
  { "(event loop)", count = 6, value = 6e6 },
}

--- Open the graph in a page of its own.
local function with_graph(body)
  local path = os.tmpname()
  os.remove(path)
  path = path .. ".svg"
  local file = assert(io.open(path, "w"))
  file:write(svg(STACKS, {
    title = "CPU time",
    subtitle = "100 ms in 100 samples",
    show = function(ns)
      return ("%.1f ms"):format(ns / 1e6)
    end,
  }))
  file:close()
  local why = devtools.with(function(browser)
    program.run { "mkdir", "-p", SHOTS }
    body(browser:open("file://" .. path, 1240, 320))
  end)
  os.remove(path)
  return why
end

local FRAME = "[...document.querySelectorAll('.f')].find(f => f.textContent.includes('%s'))"

local function width_of(tab, name)
  return tab:eval(("+%s.querySelector('rect').getAttribute('width')"):format(FRAME:format(name)))
end

local function click(tab, what)
  tab:eval(what .. ".dispatchEvent(new MouseEvent('click', { bubbles: true })), 0")
end

describe("the flame graph in a browser", function()
  it("shows frames, zooms, and searches", function()
    local why = with_graph(function(tab)
      tab:await "document.querySelectorAll('.f').length > 10"
      assert.equal("CPU time", tab:eval "document.querySelector('title').textContent")
      for _, scheme in ipairs { "light", "dark" } do
        tab:scheme(scheme)
        tab:shoot(SHOTS .. "/profile_" .. scheme .. ".png")
      end
      local whole, part = width_of(tab, "all ("), width_of(tab, "query db.lua:7")
      assert(part > whole * 0.24 and part < whole * 0.26, part .. " of " .. whole)
      click(tab, FRAME:format "query db.lua:7")
      assert(width_of(tab, "query db.lua:7") > whole * 0.99)
      assert.equal("none", tab:eval(FRAME:format "sum app.lua:5" .. ".style.display"))
      tab:shoot(SHOTS .. "/profile_zoomed.png")
      click(tab, "document.querySelector('#r')")
      assert.equal(part, width_of(tab, "query db.lua:7"))
      tab:eval "window.prompt = () => 'app.lua:2[01]', 0"
      click(tab, "document.querySelector('#q')")
      assert.equal("matched: 67.00%", tab:eval "document.querySelector('#n').textContent")
      assert.equal(2, tab:eval "document.querySelectorAll('.m').length")
      tab:shoot(SHOTS .. "/profile_search.png")
    end)
    if why then
      return pending(why)
    end
  end)

  it("runs nothing of what names say", function()
    local why = with_graph(function(tab)
      tab:await "document.querySelectorAll('.f').length > 10"
      assert.equal(0, tab:eval "document.querySelectorAll('img').length")
      assert.is_true(tab:eval "document.documentElement.textContent.includes('<img src=x')")
    end)
    if why then
      return pending(why)
    end
  end)
end)
