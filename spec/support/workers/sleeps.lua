-- A worker without signals or wait: it is killed when it is to stop. It says when it is there.
local green = require "green"

return {
  run = function(worker)
    local conn = assert(green.connect(worker.args.tell))
    conn:write(worker.index .. "\n")
    while true do
      green.sleep(10)
    end
  end,
}
