-- The part `waits`: where a green thread may wait and where it may not, in
-- sockets, callbacks, coroutines of all kinds; on the real clock.

local green = require "green"
local storm = require "spec.storm.storm"

local subjects = {}
for _, name in ipairs { "refused", "sockets", "coroutines", "struck" } do
  for _, subject in ipairs(require("spec.storm." .. name)) do
    subjects[#subjects + 1] = subject
  end
end
subjects = storm.only(subjects)

local function play(act)
  storm.acts = storm.acts + 1
  local ok, err = xpcall(act, debug.traceback)
  storm.rule(ok, "%s", tostring(err))
end

-- Several acts at a time: each has what it needs for itself; or one that needs the
-- round for itself.
return function()
  local subject = storm.any(subjects)
  if subject.alone then
    play(subject.act)
    return
  end
  for _ = 1, math.random(1, 4) do
    storm.adopt(green.spawn(play, subject.act))
    repeat
      subject = storm.any(subjects)
    until not subject.alone or #subjects == 1
  end
end
