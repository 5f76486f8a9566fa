/**
 * The few words of ONNX that a recurrent layer needs, written as protobuf: https://onnx.ai/onnx/repo-docs/IR.html and
 * onnx.proto. Field numbers are named beside their messages.
 */

/**
 * A model as bytes. `inputs` and `outputs` are {name, dims}; `initializers` {name, dims, values}; `nodes` {op, inputs, outputs,
 * attributes}, where an attribute is a whole number and an input that is not given is "".
 */
export function writeModel({ inputs, outputs, initializers, nodes, opset = 14 }) {
  const graph = message(
    ...nodes.map((node) => bytesField(1, nodeMessage(node))),
    text(2, "bench"),
    ...initializers.map((tensor) => bytesField(5, tensorMessage(tensor))),
    ...inputs.map((value) => bytesField(11, valueMessage(value))),
    ...outputs.map((value) => bytesField(12, valueMessage(value))),
  );
  const irVersion = 7;
  return message(
    whole(1, irVersion),
    text(2, "recurra bench"),
    bytesField(7, graph),
    bytesField(8, message(text(1, ""), whole(2, opset))),
  );
}

/** NodeProto: input 1, output 2, op_type 4, attribute 5. AttributeProto: name 1, i 3, type 20 (INT = 2). */
function nodeMessage({ op, inputs, outputs, attributes = {} }) {
  return message(
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) =>
      bytesField(5, message(text(1, name), whole(3, value), whole(20, 2))),
    ),
  );
}

const float = 1;

/** TensorProto: dims 1, data_type 2, name 8, raw_data 9 (little-endian). */
function tensorMessage({ name, dims, values }) {
  const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return message(...dims.map((dim) => whole(1, dim)), whole(2, float), text(8, name), bytesField(9, raw));
}

/** ValueInfoProto: name 1, type 2 { tensor_type 1 { elem_type 1, shape 2 { dim 1 { dim_value 1 } } } }. */
function valueMessage({ name, dims }) {
  const shape = message(...dims.map((dim) => bytesField(1, message(whole(1, dim)))));
  return message(text(1, name), bytesField(2, message(bytesField(1, message(whole(1, float), bytesField(2, shape))))));
}

function message(...parts) {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

const [varint, lengthDelimited] = [0, 2];
const whole = (field, value) => Uint8Array.from([...leb(field * 8 + varint), ...leb(value)]);
const text = (field, value) => bytesField(field, new TextEncoder().encode(value));

function bytesField(field, bytes) {
  return message(Uint8Array.from([...leb(field * 8 + lengthDelimited), ...leb(bytes.length)]), bytes);
}

function leb(value) {
  return value < 128 ? [value] : [(value % 128) + 128, ...leb(Math.floor(value / 128))];
}
