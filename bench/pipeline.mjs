/** The pipeline file of a workload; `more` are further lines at the top level. */
export function pipelineOf(name, { brokers }, { steps, to }, input, output, more = '') {
  const lines = [`name: ${name}`, `kafka: ${brokers}`, `from: ${input}`, steps, to && `to: ${to(output)}`, more];
  return `${lines.filter(Boolean).join('\n')}\n`;
}
