-- A worker that never waits, until the file args.stop is gone.
local green = require "green"

return function(worker)
  assert(green.connect(worker.args.tell)):write(worker.index .. "\n")
  local file
  repeat
    file = io.open(worker.args.stop)
    if file then
      file:close()
    end
  until not file
end
