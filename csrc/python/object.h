#include "core/object.h"
