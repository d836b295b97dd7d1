-- Give each existing counter a new generation and keep its leases; answer the generations, 0 where there is none.
-- KEYS: clock, counters. ARGV: life of a counter in ms.

also_when_full(KEYS[1])
look(KEYS)
local clock = open_clock(KEYS[1])
local answer = {}
for i = 2, #KEYS do
  local counter = read(KEYS[i])
  if counter and counter.generation > 0 then
    counter.generation = clock.next(counter.generation)
    write(KEYS[i], counter, 'PX', ARGV[1])
  end
  answer[#answer + 1] = counter and counter.generation or 0
end
clock.close()
return answer
