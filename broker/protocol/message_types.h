#pragma once

// What every generated message header needs: the types of fields, and the codec's names without
// their definitions.

#include "broker/protocol/api_key.h"
#include "broker/protocol/error_code.h"
#include "broker/protocol/float64.h"
#include "broker/protocol/records.h"
#include "broker/protocol/uuid.h"
#include "core/bytes.h"

namespace highwater::broker::protocol {

class Decoder;
class Encoder;

}  // namespace highwater::broker::protocol
