# OCF agents
