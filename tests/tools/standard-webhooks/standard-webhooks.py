"""Has the official package judge requests. Each line of the input is one, {"secret", "headers", "body"}; each line of the output a
verdict: "genuine", or why not."""

import json
import sys

from standardwebhooks import Webhook

for line in sys.stdin:
    request = json.loads(line)
    try:
        Webhook(request["secret"]).verify(request["body"], request["headers"])
        print("genuine")
    except Exception as error:
        print(error)
