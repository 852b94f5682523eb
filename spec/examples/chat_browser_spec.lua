-- examples/chat in a browser: three tabs of three people talk, and the server dies under them.
-- Screenshots are left in the build's folder screenshots.

local green = require "green"

local beside_redis = require("spec.support.redis_beside").with
local devtools = require "spec.support.devtools"
local kit = require "spec.support.chat_kit"
local patient = require "spec.support.patient"
local program = require "spec.support.program"

local it = patient.busted()
local browse = devtools.busted()
local shot = devtools.shot

local HOSTILE = "<img src=x onerror=\"document.title='owned'\"><b>bold</b> & </li>"
local LINES = "[...document.querySelectorAll('#log .what')].map(n => n.textContent).join('|')"

-- -- People in tabs ----------------------------------------------------------------

local function come_in(browser, target, name, ...)
  local tab = browser:open("http://" .. target .. "/", ...)
  tab:await "document.querySelector('#enter').open"
  tab:write("#name", name)
  tab:enter()
  tab:await "document.querySelector('#state').textContent === 'connected'"
  return tab
end

local function say(tab, text)
  tab:write("#text", text)
  tab:enter()
end

local function open_topic(tab, name)
  tab:write("#topic-name", name)
  tab:enter()
  tab:await(("document.querySelector('#title').textContent === '%s'"):format(name))
end

--- All tabs show these lines, and each once.
local function await_lines(tabs, lines)
  local text = table.concat(lines, "|"):gsub("[\\'\n]", "\\%0")
  for _, tab in ipairs(tabs) do
    tab:await(("!document.querySelector('.waits') && %s.length >= '%s'.length"):format(LINES, text))
    assert.equal(table.concat(lines, "|"), tab:eval(LINES))
  end
end

local function is_connected(tab, is_it)
  tab:await(("(document.querySelector('#state').textContent === 'connected') === %s"):format(
    tostring(is_it)))
end

local function three(b, target)
  local tabs = {}
  for i, name in ipairs { "Ann", "Bob", "Çelik" } do
    tabs[i] = come_in(b, target, name)
  end
  return tabs
end

describe("examples/chat in a browser", function()
  it("is one talk in three tabs, which a death of the server does not tear", function()
    browse(function(b)
      local chat, target = kit.start()
      local ok, err = patient.try(function()
        local tabs, lines = three(b, target), {}
        local function all_say(word)
          for i, tab in ipairs(tabs) do
            lines[#lines + 1] = word .. " from " .. i
            say(tab, lines[#lines])
            await_lines(tabs, lines)
          end
        end
        all_say "hello"
        lines[#lines + 1] = HOSTILE
        say(tabs[1], HOSTILE)
        await_lines(tabs, lines)
        tabs[2]:await "document.querySelectorAll('#log img, #log b b, #log .what *').length === 0"
        assert.matches("Chat$", tabs[2]:eval "document.title")
        chat:kill(program.KILL):wait()
        for _, tab in ipairs(tabs) do is_connected(tab, false) end
        lines[#lines + 1] = "said while nobody heard"
        say(tabs[3], lines[#lines])
        tabs[3]:await "document.querySelector('.waits')"
        chat = kit.start(target)
        for _, tab in ipairs(tabs) do is_connected(tab, true) end
        await_lines(tabs, lines)
        all_say "again"
      end)
      kit.stop(chat)
      assert(ok, err)
    end)
  end)

  it("counts what one has not read, finds words, and tells who writes", function()
    browse(function(b)
      kit.beside({}, function(target)
        local ann, bob = come_in(b, target, "Ann"), come_in(b, target, "Bob")
        open_topic(ann, "Tea")
        for i = 1, 3 do say(ann, "cup " .. i) end
        bob:await "document.querySelector('nav .badge')?.textContent === '3'"
        assert.equal("(3) General – Chat", bob:eval "document.title")
        bob:click "[data-place=\"Kitchen/Tea\"]"
        await_lines({ bob }, { "cup 1", "cup 2", "cup 3" })
        bob:await "!document.querySelector('nav .badge')"
        bob:await "document.querySelector('#all-unread').hidden"
        bob:write("#text", "I am wri")
        ann:await "document.querySelector('#typing').textContent === 'Bob is writing…'"
        ann:write("#words", "CUP 2")
        ann:enter()
        ann:await "document.querySelector('#found-title').textContent.startsWith('One message')"
        assert.equal("found-title", ann:eval "document.activeElement.id")
        ann:click "#hits button"
        ann:await "document.querySelector('#log li.hit .what').textContent === 'cup 2'"
        bob:reload()
        is_connected(bob, true) -- what was read stays read
        bob:await "document.querySelectorAll('#log .what').length === 3"
        assert.is_false(bob:eval "!!document.querySelector('nav .badge')")
      end)
    end)
  end)

  it("can be used with a keyboard alone, and names its parts", function()
    browse(function(b)
      kit.beside({}, function(target)
        local ann = come_in(b, target, "Ann")
        local seen = {}
        ann:eval "document.activeElement.blur()"
        for _ = 1, 14 do
          ann:press("Tab", 9)
          seen[#seen + 1] = ann:eval "document.activeElement.id || document.activeElement.className"
          assert.is_true(ann:eval [[document.activeElement === document.body
            || getComputedStyle(document.activeElement).outlineStyle !== 'none']], seen[#seen])
        end
        local order = table.concat(seen, " ")
        assert.matches("skip.*topic.*topic%-name.*words.*log.*text", order)
        assert.equal("", ann:eval [[[...document.querySelectorAll('input, textarea, button')]
          .filter(n => !n.labels?.length && !n.textContent.trim()).map(n => n.id).join()]])
        assert.equal(4, ann:eval "document.querySelectorAll('header, nav, main, aside').length")
        -- What was said before is not read out: it is off while the log is filled.
        ann:await "document.querySelector('[role=log]').ariaLive === 'polite'"
      end)
    end)
  end)

  it("loses and doubles nothing when one of two workers over Redis is killed", function()
    browse(function(b)
      beside_redis(function(redis)
        local chat, target = kit.start(nil, "--redis", redis.url, "--workers", "2")
        local ok, err = patient.try(function()
          local tabs, lines = three(b, target), {}
          for i, pid in ipairs(kit.children(chat.pid)) do
            for n, tab in ipairs(tabs) do
              lines[#lines + 1] = ("%d before %d"):format(n, i)
              say(tab, lines[#lines])
              await_lines(tabs, lines)
            end
            program.run { "kill", "-KILL", tostring(pid) }
            lines[#lines + 1] = "after " .. i
            say(tabs[i], lines[#lines])
            await_lines(tabs, lines)
            for _, tab in ipairs(tabs) do is_connected(tab, true) end
          end
        end)
        kit.stop(chat)
        assert(ok, tostring(err) .. chat.err)
      end)
    end)
  end)

  it("looks like something on a phone and on a desk", function()
    browse(function(b)
      kit.beside({}, function(target)
        local talkers = {}
        for i, name in ipairs { "Bob", "Çelik", "Dora", "Emil" } do
          talkers[i] = kit.person(target, name)
          talkers[i]:join "Kitchen"
          talkers[i]:join "Library"
        end
        local function tell(i, topic, text) talkers[i]:say("Kitchen", topic, text) end
        tell(1, "General", "Good morning! Who has taken the last of the coffee?")
        tell(2, "General", "Not me. There is a new packet in the cupboard, behind the rice.")
        tell(2, "General", "The second shelf.")
        tell(3, "General", "Found it, thank you.\nI have put the kettle on as well: five minutes.")
        tell(4, "General", "https://example.org/a-very-long-address-without-any-blank-in-it/"
          .. "which-has-to-be-broken-somewhere-on-a-phone?query=1234567890")
        tell(1, "Recipes", "Bread, with less salt this time")
        tell(1, "Recipes", "And rosemary")
        talkers[3]:say("Library", "Returns", "Two books are overdue")
        local ann = come_in(b, target, "Ann")
        say(ann, "On my way " .. HOSTILE)
        talkers[4]:send { op = "typing", group = "Kitchen", topic = "General" }
        ann:await "document.querySelector('#typing').textContent"
        ann:await "document.querySelectorAll('#here li').length === 5"
        -- Who says something more needs no second name; who says something after another does.
        ann:await "document.querySelector('#log li:last-child:not(.more, .waits)[data-by=Ann]')"
        assert.equal(1, ann:eval "document.querySelectorAll('#log .more').length")
        ann:shoot_all("chat", 780, 844)
        ann:click "#show-nav"
        ann:shoot(shot "chat_phone_topics")
        ann:click "#show-people"
        ann:shoot(shot "chat_phone_people")
        ann:click "#show-people"
        ann:scheme "light"
        ann:write("#words", "the")
        ann:enter()
        ann:await "!document.querySelector('#found').hidden"
        ann:shoot(shot "chat_phone_found")
        local new = b:open("http://" .. target .. "/", 390, 844)
        new:await "document.querySelector('#enter').open"
        new:shoot(shot "chat_phone_enter")
        green.sleep(0)
        for _, talker in ipairs(talkers) do talker:close() end
      end)
    end)
  end)
end)
