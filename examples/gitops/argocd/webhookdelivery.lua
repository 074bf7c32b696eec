-- The health of a WebhookDelivery: like that of a Job, it is Progressing until it has ended.
local health = { status = "Progressing", message = "waits for the operator to look at it" }
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return health
end

for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    health.message = condition.message
    if condition.status == "True" then
      health.status = "Healthy" -- delivered, or canceled as spec.canceled asks
    end
  elseif condition.type == "Stalled" and condition.status == "True" then
    health.status = "Degraded"
  end
end
return health
