-- Create what is absent, resolve expired leases, answer generation and leased (0 or 1) of each counter.
-- KEYS: clock, counters. ARGV: the life of each counter in ms, if it is made or bumped here.

local now = now_us()
local clock = open_clock(KEYS[1], now)
local answer = {}

local function live(lease)
  return lease[2] > now
end

for i = 2, #KEYS do
  local counter = read(KEYS[i])
  if not counter then
    counter = { generation = clock.next(0), leases = {} }
    write(KEYS[i], counter, 'PX', ARGV[i - 1])
  elseif filter(counter, live) > 0 then
    if counter.generation == 0 and #counter.leases > 0 then
      write_mark(KEYS[i], counter, now)
    else
      -- Never dropped without a bump: its writer may have committed and died before it could say so.
      counter.generation = clock.next(counter.generation)
      -- A counter that ends under a lease takes the lease with it.
      write(KEYS[i], counter, 'PX', text(math.max(tonumber(ARGV[i - 1]), lease_ms(counter, now))))
    end
  end
  answer[#answer + 1] = counter.generation
  answer[#answer + 1] = #counter.leases > 0 and 1 or 0
end
clock.close()
return answer
