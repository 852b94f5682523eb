-- examples/websocket/dashboard: one form a second for all who look on.

local devtools = require "spec.support.devtools"
local patient = require "spec.support.patient"
local program = require "spec.support.program"
local url = require "green.url"
local websocket = require "green.websocket"

local it = patient.busted()
local browse = devtools.busted()

--- Run body(target) beside the dashboard. Parks.
local function beside(body)
  local run = program.start { program.greenlua, "examples/websocket/dashboard/dashboard.lua",
    "127.0.0.1:0" }
  run:expect "serving on http://"
  local ok, err = patient.try(body, run:expect("\n"))
  run:kill(program.TERM):wait()
  assert(ok, tostring(err) .. run.err)
  assert.same({ 0, "" }, { run.status, run.err })
end

local function look(target)
  return assert(websocket.connect("ws://" .. target .. "/numbers"))
end

describe("examples/websocket/dashboard", function()
  it("tells all who look the same numbers", function()
    beside(function(target)
      local one, two = look(target), look(target)
      local seen, form = {}, nil
      for _ = 1, 3 do
        local text = assert(one:recv(20))
        seen[text], form = true, assert(url.parse_query(text))
        for _, name in ipairs { "cpu", "memory", "switches", "requests", "fds" } do
          assert.truthy(tonumber(form:get(name)), text)
        end
      end
      assert.equal("2", form:get "viewers")
      assert.is_true(seen[assert(two:recv(20))] and seen[assert(two:recv(20))])
      two:close()
      repeat
        form = assert(url.parse_query(assert(one:recv(20))))
      until form:get "viewers" == "1"
      one:close()
      local late = look(target) -- after a while of nobody
      assert.truthy(late:recv(20))
      late:close()
    end)
  end)

  it("is seen in a browser, on a phone and on a desk", function()
    browse(function(browser)
      beside(function(target)
        local tab = browser:open("http://" .. target .. "/")
        tab:await "document.querySelector('#state').textContent === 'live'"
        tab:eval "fetch('/busy').then(answer => answer.text())"
        tab:await "document.querySelector('polyline').getAttribute('points').split(' ').length > 5"
        assert.equal("1", tab:eval "document.querySelector('#viewers').textContent")
        tab:shoot_all("dashboard", 780, 844)
      end)
    end)
  end)
end)
