-- The status page in a browser. Screenshots are left in the build's folder screenshots.

local green = require "green"
local http = require "green.http"

local devtools = require "spec.support.devtools"
local patient = require "spec.support.patient"
local program = require "spec.support.program"

local it = patient.busted()
local browse = devtools.busted()

--- Run body(target) beside examples/status.lua, which has some work. Parks.
local function beside(body)
  local run = program.start { program.greenlua, "examples/status.lua", "127.0.0.1:0" }
  run:expect "serving on http://"
  local target = run:expect("\n")
  local workers, is_over = {}, false
  for i, path in ipairs { "bread", "bread", "bread", "cake", "pie", "nothing" } do
    workers[i] = green.spawn(function()
      local session = http.session()
      while not is_over do
        local answer = session:get("http://" .. target .. "/order/" .. path)
        if answer then answer:read() end
        green.sleep(path == "nothing" and 0.1 or 0) -- a client that comes now and then
      end
      session:close()
    end)
  end
  local ok, err = patient.try(body, target)
  is_over = true
  for _, worker in ipairs(workers) do worker:wait() end
  run:kill(program.TERM):wait()
  assert(ok, tostring(err) .. run.err)
end

local function number(tab, title)
  return tab:eval(([[[...document.querySelectorAll('.card')].find(c =>
    c.querySelector('.name').textContent === '%s').querySelector('.value').textContent]])
    :format(title))
end

describe("green.status in a browser", function()
  it("shows what there is, goes on by itself, and looks like something", function()
    browse(function(browser)
      beside(function(target)
        local tab = browser:open("http://" .. target .. "/status")
        tab:await "document.querySelector('#state').textContent === 'live'"
        assert.equal("The bakery", tab:eval "document.title")
        tab:await [[document.querySelector('.card polyline').getAttribute('points')
          .split(' ').length > 3]]
        assert.matches("^%d", number(tab, "Requests a second"))
        assert.matches("^%d", number(tab, "Green threads"))
        assert.matches("B$", number(tab, "Memory"))
        assert.matches("pid %d+", tab:eval "document.querySelector('#about').textContent")
        assert.equal("http://" .. target,
          tab:eval "document.querySelector('#servers td').textContent")
        tab:await "document.querySelector('#requests').textContent.includes('/order/pie')"
        tab:await "document.querySelectorAll('#turns .bar').length > 2"
        assert.is_true(tab:eval "document.querySelectorAll('#threads tbody tr').length > 5")
        assert.is_true(tab:eval "document.querySelector('#stalls').textContent.length > 5")
        tab:shoot_all("status", 1500, 1600)
        tab:click "#pause"
        assert.equal("paused", tab:eval "document.querySelector('#state').textContent")
        tab:click "#pause"
        tab:await "document.querySelector('#state').textContent === 'live'"
      end)
    end)
  end)

  it("puts hostile names in as text, and says when nobody answers", function()
    browse(function(browser)
      local script = [[
        local green, status, wsgi = require "green", require "green.status", require "green.wsgi"
        local name = "<img src=x onerror=\"document.title='owned'\"></script>"
          .. "<script>alert(1)</script>"
        local page = status.handler { title = name, queries = true, headers = true, peers = true,
          tracebacks = true, threads = 50 }
        assert(wsgi.serve("127.0.0.1:0", function(env)
          if env.PATH_INFO == "/" then return page(env) end
          green.sleep(1000)
        end, { log = io.stdout }))]]
      local run = program.start { program.greenlua, "-e", script }
      run:expect "serving on http://"
      local target = run:expect("\n")
      local conn = assert(green.connect(target))
      conn:write("GET /<b>x</b>?<script>y</script> HTTP/1.1\r\nHost: <i>h</i>\r\n"
        .. "X: <u>z</u>\r\n\r\n")
      conn:close()
      conn = assert(green.connect(target))
      conn:write("GET /%3Cimg%20src=x%20onerror=document.title='owned'%3E?q=%3Cb%3E HTTP/1.1\r\n"
        .. "Host: h\r\nX: <img src=x onerror=document.title='owned'>\r\n\r\n")
      local ok, err = patient.try(function()
        local tab = browser:open("http://" .. target .. "/")
        tab:await "document.querySelector('#state').textContent === 'live'"
        tab:await "document.querySelector('#requests').textContent.includes('<img src=x')"
        assert.matches("^<img src=x onerror", tab:eval "document.title")
        assert.equal(0, tab:eval "document.querySelectorAll('img, main script, td b').length")
        run:kill(program.KILL):wait()
        tab:await "document.querySelector('#state').textContent.startsWith('no answer')"
        tab:await "document.querySelector('#state').className === 'off'"
      end)
      conn:close()
      if not run:poll() then run:kill(program.KILL):wait() end
      assert(ok, tostring(err) .. run.err)
    end)
  end)
end)
