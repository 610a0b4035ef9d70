declare const brand: unique symbol;
type Id<B extends string> = string & { readonly [brand]: B };

/** Names one model, such as `llama-2-70b`. */
export type ModelId = Id<'model'>;
/** Names one region, such as `westus`. */
export type RegionId = Id<'region'>;
/** Names one kind of GPU host, such as `a100-80gb`. */
export type SkuId = Id<'sku'>;
/** Names one endpoint: the instances of one model on one SKU in one pool of one region. */
export type EndpointId = Id<'endpoint'>;

/**
 * Position of a region in the view that was passed in. Valid during that call only: keep a
 * {@link RegionId} instead.
 */
export type RegionIndex = number;
/** Position of an instance in the view that was passed in. Valid during that call only. */
export type InstanceIndex = number;

/** A name as a model's. Not checked: what names a model is the host's affair. */
export const modelId = (name: string): ModelId => name as ModelId;
/** A name as a region's. Not checked. */
export const regionId = (name: string): RegionId => name as RegionId;
/** A name as a SKU's. Not checked. */
export const skuId = (name: string): SkuId => name as SkuId;

/** The id of an endpoint, `region/model/sku` and, where it is not the shared pool, `/pool`. */
export function endpointId(region: RegionId, model: ModelId, sku: SkuId, pool = 'shared'): EndpointId {
  return `${region}/${model}/${sku}${pool === 'shared' ? '' : `/${pool}`}` as EndpointId;
}
