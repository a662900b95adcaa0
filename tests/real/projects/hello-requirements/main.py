"""Print the versions of what was installed."""

import pluggy
import six

print(six.__version__, pluggy.__version__)
