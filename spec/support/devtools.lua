-- A headless Chromium, driven over its DevTools protocol by our own green.websocket.

local cjson_ok, cjson = pcall(require, "cjson")
local digest = require "green.digest"
local green = require "green"
local patient = require "spec.support.patient"
local program = require "spec.support.program"
local websocket = require "green.websocket"

local M = {}

local WAIT = 90 -- seconds that a browser on a busy machine may take for anything
local NAMES = { "chromium", "chromium-browser", "google-chrome" }
local FLAGS = { "--headless=new", "--no-sandbox", "--remote-debugging-port=0", "--disable-gpu",
  "--no-first-run", "--disable-extensions", "--disable-background-networking",
  "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
  "--disable-backgrounding-occluded-windows", "--disable-dev-shm-usage", "--lang=en-US",
  "--hide-scrollbars" }

local function find()
  for _, name in ipairs(NAMES) do
    local run = program.run { "sh", "-c", "command -v " .. name }
    if run.status == 0 then
      return name
    end
  end
end

-- -- The connection ---------------------------------------------------------------

local browser = {}
browser.__index = browser

--- What goes wrong in a page, a policy's violations among it.
local function note_problem(self, message)
  local params = message.params
  if message.method == "Runtime.exceptionThrown" then
    local details = params.exceptionDetails
    self.problems[#self.problems + 1] = details.text .. " "
      .. tostring(details.exception and details.exception.description)
  elseif message.method == "Log.entryAdded" and params.entry.source == "security" then
    self.problems[#self.problems + 1] = params.entry.text
  end
end

local function read_all(self)
  for text in self.ws:messages() do
    local message = cjson.decode(text)
    local waiting = message.id and self.waiting[message.id]
    if waiting then
      self.waiting[message.id] = nil
      waiting:send(message)
    elseif message.method then
      note_problem(self, message)
    end
  end
end

--- A command of the protocol: its result. Parks.
function browser:call(method, params, session)
  self.last = self.last + 1
  local id, answered = self.last, green.Event()
  self.waiting[id] = answered
  assert(self.ws:send(cjson.encode { id = id, method = method, sessionId = session,
    params = params and next(params) and params or nil }))
  local answer, err = answered:wait(WAIT)
  assert(answer, ("%s: %s"):format(method, tostring(err)))
  assert(not answer.error, method .. ": " .. tostring(answer.error and answer.error.message))
  return answer.result
end

--- End it, with all of its processes and files. Parks.
function browser:close()
  pcall(self.call, self, "Browser.close")
  local due = green.now() + 10
  while not self.program:listen(0):poll() and green.now() < due do
    green.sleep(0.05)
  end
  if not self.program:poll() then
    self.program:kill(program.KILL)
  end
  self.program:wait()
  self.reader:wait()
  program.run { "rm", "-rf", self.folder }
end

--- Start one. Parks.
-- @return it; or nil, and why there is none
function M.start()
  local name = find()
  if not cjson_ok or not name then
    return nil, name and "no lua-cjson" or "no Chromium: tools/install-deps browser"
  end
  local folder = program.run({ "mktemp", "-d" }).out:gsub("%s+$", "")
  local words = { name, "--user-data-dir=" .. folder, unpack(FLAGS) }
  words[#words + 1], words.patience = "about:blank", WAIT
  words.env = { HOME = folder }
  local self = setmetatable({ program = program.start(words), folder = folder, last = 0,
    waiting = {}, problems = {} }, browser)
  local ok, err = pcall(self.program.expect, self.program, "DevTools listening on ", "err")
  if not ok then
    program.run { "rm", "-rf", folder }
    return nil, "Chromium does not start here: " .. tostring(err):sub(1, 300)
  end
  self.ws = assert(websocket.connect(self.program:expect("\n", "err"), {
    max_message = 2 ^ 26, ping_interval = false, timeout = WAIT }))
  self.reader = green.spawn(read_all, self)
  return self
end

--- Run body(browser) beside one. Nothing may go wrong in its pages meanwhile. Parks.
-- @return nil; or why there is no browser here
function M.with(body)
  local self, why = M.start()
  if not self then
    return why
  end
  local ok, err = patient.try(body, self)
  self:close()
  local problems = table.concat(self.problems, "\n")
  assert(ok, tostring(err) .. "\n" .. problems)
  assert(problems == "", problems)
end

--- browse(body): the same for a test, which is pending where there is no browser. Call it in a
-- spec file.
function M.busted()
  local pending = getfenv(2).pending
  return function(body)
    local why = M.with(body)
    return why and pending(why)
  end
end

-- -- Pages ------------------------------------------------------------------------

local page = {}
page.__index = page

function page:call(method, params)
  return self.browser:call(method, params, self.session)
end

--- A page in a window of its own, of somebody who was never there before. Parks.
function browser:open(url, width, height)
  local context = self:call("Target.createBrowserContext").browserContextId
  local target = self:call("Target.createTarget", { url = "about:blank",
    browserContextId = context, newWindow = true }).targetId
  local session = self:call("Target.attachToTarget", { targetId = target, flatten = true })
  local self_page = setmetatable({ browser = self, session = session.sessionId }, page)
  for _, domain in ipairs { "Page", "Runtime", "Log" } do
    self_page:call(domain .. ".enable")
  end
  self_page:resize(width or 1200, height or 780)
  self_page:call("Page.navigate", { url = url })
  self_page:await "document.readyState === 'complete' && location.href !== 'about:blank'"
  return self_page
end

--- The value of an expression, of a promise when that is kept. Parks.
function page:eval(expression)
  local answer = self:call("Runtime.evaluate", { expression = expression, awaitPromise = true,
    returnByValue = true })
  local thrown = answer.exceptionDetails
  assert(not thrown, expression .. ": " .. tostring(thrown and thrown.exception
    and thrown.exception.description))
  return answer.result.value
end

--- Wait until an expression is true. Parks.
function page:await(expression)
  local due = green.now() + WAIT
  while not self:eval("!!(" .. expression .. ")") do
    self.browser.program:listen(0) -- what it logs would fill its pipe
    assert(green.now() < due, expression .. " never came true")
    green.sleep(0.05) -- between two looks
  end
end

--- Put the focus there and write, as a keyboard does. Parks.
function page:write(selector, text)
  self:eval(("document.querySelector(%s).focus()"):format(cjson.encode(selector)))
  self:call("Input.insertText", { text = text })
end

--- Press a key. Parks.
function page:press(key, code, text)
  for _, kind in ipairs { "keyDown", "keyUp" } do
    self:call("Input.dispatchKeyEvent", { type = kind, key = key, code = key,
      windowsVirtualKeyCode = code, text = kind == "keyDown" and text or nil })
  end
end

function page:enter() self:press("Enter", 13, "\r") end

function page:click(selector)
  self:eval(("document.querySelector(%s).click()"):format(cjson.encode(selector)))
end

--- Load the page again. Parks.
function page:reload()
  self:eval "window.isOld = true"
  self:call "Page.reload"
  self:await "!window.isOld && document.readyState === 'complete'"
end

function page:resize(width, height, is_phone)
  self.width = width
  self:call("Emulation.setDeviceMetricsOverride", { width = width, height = height,
    deviceScaleFactor = is_phone and 2 or 1, mobile = is_phone or false })
end

function page:scheme(name)
  self:call("Emulation.setEmulatedMedia", { features = { { name = "prefers-color-scheme",
    value = name } } })
end

--- Where the screenshot of a name is left: in the build's folder screenshots.
function M.shot(name)
  program.run { "mkdir", "-p", program.build .. "/screenshots" }
  return ("%s/screenshots/%s.png"):format(program.build, name)
end

--- Nothing is wider than the screen.
function page:assert_fits()
  local width = self:eval "document.documentElement.scrollWidth"
  assert(width <= self.width, ("%d wide, on a screen of %d"):format(width, self.width))
end

--- Screenshots on a desk and on a phone, as high as that, light and dark: NAME_desk_light.
function page:shoot_all(name, desk, phone)
  for _, scheme in ipairs { "light", "dark" } do
    self:scheme(scheme)
    self:resize(1200, desk)
    self:shoot(M.shot(name .. "_desk_" .. scheme))
    self:resize(390, phone, true)
    self:shoot(M.shot(name .. "_phone_" .. scheme))
    self:assert_fits()
  end
end

--- Save what is seen as a PNG. Parks.
function page:shoot(path)
  local answer = self:call("Page.captureScreenshot", { format = "png" })
  local file = assert(io.open(path, "wb"))
  file:write((assert(digest.unbase64(answer.data))))
  file:close()
end

return M
